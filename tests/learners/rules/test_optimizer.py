import pytest
import torch

from envs.errors import SettingError
from learners.rules.optimizer import OPTIMISERS, OptimizerConfig
from tests.helpers.learners import batches, learner, same, weights


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_learns_and_goes_on_bit_for_bit(name):
    pairs = batches(4)
    straight, half, resumed = (learner("dgl", optimiser=name) for _ in range(3))
    before = weights(straight)
    for batch in pairs:
        straight.update(batch)
    for batch in pairs[:2]:
        half.update(batch)
    resumed.load_state_dict(half.state_dict())
    for batch in pairs[2:]:
        resumed.update(batch)
    assert not same(before, weights(straight))
    assert same(straight.state_dict(), resumed.state_dict())


def test_the_learning_rate_rises_to_its_height_and_then_stays_or_falls_for_ever():
    constant, falling = (
        OptimizerConfig(lr=0.1, warmup=10),
        OptimizerConfig(lr=0.1, warmup=10, lr_schedule="inverse_sqrt"),
    )
    for steps in (constant, falling):
        assert [steps.lr_at(update) for update in (0, 4, 9)] == pytest.approx([0.01, 0.05, 0.1])
    assert constant.lr_at(10**6) == 0.1
    assert falling.lr_at(39) == pytest.approx(0.05)
    assert OptimizerConfig(lr=0.1).lr_at(0) == 0.1


def test_an_update_is_made_with_its_own_learning_rate():
    one = learner("bp", optimiser="sgd", warmup=4, lr=1.0)
    one.network.double()
    pairs = batches(3)
    pairs = [batch._replace(first=batch.first.double(), second=batch.second.double()) for batch in pairs]
    for update, batch in enumerate(pairs):
        before = one.network.blocks[0][0].weight.detach().clone()
        one.update(batch)
        layer = one.network.blocks[0][0].weight
        assert torch.allclose(layer.detach(), before - 0.25 * (update + 1) * layer.grad, atol=1e-12)


def test_with_weight_decay_updated_feedback_and_weights_become_alike():
    """Kolen and Pollack (1994): what the two do not share decays."""
    one = learner("urf", optimiser="sgd", weight_decay=0.5, lr=0.2)
    layer = one.network.blocks[1][0]
    before = (layer.weight - layer.feedback_weight).norm().item()
    for batch in batches(5):
        one.update(batch)
    assert (layer.weight - layer.feedback_weight).norm().item() == pytest.approx(before * (1 - 0.1) ** 5, rel=1e-4)


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("learner.optimiser=adm is unknown; did you mean adam", {"optimiser": "adm"}),
        ("learner.lr_schedule=cosine", {"lr_schedule": "cosine"}),
        ("learner.momentum=0.9 has no use with learner.optimiser=adam", {"momentum": 0.9}),
        ("learner.weight_decay=-1", {"weight_decay": -1}),
        ("learner.warmup=0 try", {"lr_schedule": "inverse_sqrt"}),
    ],
)
def test_steps_that_make_no_sense_are_refused(message, settings):
    with pytest.raises(SettingError, match=message):
        OptimizerConfig(**settings)
