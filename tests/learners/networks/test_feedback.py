import math

import pytest
import torch

from envs.errors import SettingError
from learners.networks.feedback import Conv, Linear
from tests.helpers.learners import batches, learner, weights


def init_kwargs(seed=0):
    return torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)


def errors(layer, x):
    """The layer's input gradient and weight gradient for one output error."""
    x = x.clone().requires_grad_()
    y = layer(x)
    y.backward(torch.sin(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape))
    return x.grad, layer.weight.grad


@pytest.mark.parametrize("kind", ["random", "updated", "sign"])
def test_the_error_goes_back_through_the_feedback_weights(kind):
    for layer, x in (
        (Conv((4, 3, 3, 3), feedback=kind, generators=init_kwargs()), torch.randn(2, 3, 6, 6)),
        (Linear((4, 5), feedback=kind, generators=init_kwargs()), torch.randn(2, 5)),
    ):
        below, own = errors(layer, x)
        other = type(layer)(tuple(layer.weight.shape), feedback="backprop", generators=init_kwargs())
        back = layer.feedback_weight if kind != "sign" else layer.bound / math.sqrt(3) * layer.weight.sign()
        assert torch.allclose(own, errors(other, x)[1])  # the weight's own gradient is the usual one
        with torch.no_grad():
            other.weight.copy_(back)
        assert torch.allclose(below, errors(other, x)[0], atol=1e-6)


def test_forward_weights_are_drawn_alike_whatever_the_feedback():
    starts = [weights(learner(rule)) for rule in ("bp", "rf", "urf", "sign", "dtp", "none")]
    for name, value in starts[0].items():
        assert all(torch.equal(value, other[name]) for other in starts)
    layers = learner("dgl").network
    assert all(torch.equal(starts[0][name], value) for name, value in layers.blocks.state_dict(prefix="blocks.").items()
               if name in starts[0])  # fmt: skip


def test_updated_feedback_that_starts_at_the_weights_is_backpropagation_to_the_last_bit():
    bp, urf = learner("bp", stop_gradient=False), learner("urf", stop_gradient=False)
    with torch.no_grad():
        for module in urf.network.modules():
            if hasattr(module, "feedback_weight"):
                module.feedback_weight.copy_(module.weight)
    for pairs in batches(6):
        bp.update(pairs)
        urf.update(pairs)
    updated_weights = weights(urf)
    assert all(torch.equal(value, updated_weights[name]) for name, value in weights(bp).items())


def test_updated_feedback_keeps_its_distance_from_the_weights_and_both_move():
    rule = learner("urf")
    before = weights(rule)
    for pairs in batches(6):
        rule.update(pairs)
    after = weights(rule)
    for name in [name for name in before if name.endswith(".weight")]:
        back = name.replace(".weight", ".feedback_weight")
        start, end = before[name] - before[back], after[name] - after[back]
        assert torch.allclose(start, end, atol=1e-6)
        if name != "blocks.0.0.weight":
            assert (after[back] - before[back]).abs().max() > 1e-4


def test_random_feedback_never_changes():
    rule = learner("rf")
    before = weights(rule)
    for pairs in batches(4):
        rule.update(pairs)
    after = weights(rule)
    assert all(torch.equal(before[name], after[name]) for name in before if name.endswith("feedback_weight"))
    assert not torch.equal(before["blocks.1.0.weight"], after["blocks.1.0.weight"])


def test_an_unknown_feedback_is_refused_by_name():
    with pytest.raises(SettingError, match="learner.feedback=transpose"):
        Linear((2, 2), feedback="transpose", generators=init_kwargs())


@pytest.mark.parametrize("kind", ["backprop", "random", "updated", "sign"])
def test_lower_precision_rounds_the_factors_and_nothing_else(kind):
    x = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    plain = Conv((5, 3, 3, 3), feedback=kind, generators=init_kwargs(), bias=True)
    lower = Conv((5, 3, 3, 3), feedback=kind, generators=init_kwargs(), bias=True, precision=torch.bfloat16)
    y, (below, own) = lower(x), errors(lower, x)
    assert {part.dtype for part in (y, below, own, lower.weight, lower.bias)} == {torch.float32}
    for one, other in zip((y, below, own), (plain(x), *errors(plain, x)), strict=True):
        assert not torch.equal(one, other)
        assert (one - other).norm() < 2**-7 * other.norm()  # of 8 bits, of which sums keep more
