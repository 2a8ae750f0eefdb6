import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from envs.errors import SettingError
from learners.diagnostics.monitor import monitor
from learners.losses import Loss
from learners.networks.blocks import EMBEDDING, flat
from learners.networks.network import SPECS, Network, Spec, normalize
from tests.helpers.learners import TARGETS, batches, built, same

NORMED = Spec(((8, lambda channels: torch.nn.GroupNorm(2, channels), "relu", 12, "pool"),), squash=True)


def network(size=32, *, name="conv4", heads="top", feedback="backprop", seed=0):
    return Network(name, size=size, feedback=feedback, heads=heads, seed=seed)


@pytest.mark.parametrize(
    ("name", "size", "features"),
    [
        ("conv4", 16, 256),
        ("conv4", 32, 1024),
        ("conv4", 64, 4096),
        ("conv6", 32, 8192),
        ("vgg6", 32, 4096),
        (f"{__name__}.NORMED", 32, 3072),
    ],
)
def test_features_and_heads_fit_the_images(name, size, features):
    net, images = network(size, name=name, heads="every"), torch.rand(2, 3, size, size)
    assert net(images).shape == (2, features)
    x = normalize(images)
    for block, head, spec in zip(net.blocks, net.heads, SPECS.get(name, NORMED).blocks, strict=True):
        x = block(x)
        size //= 1 + ("pool" in spec)
        assert x.shape == (2, [layer for layer in spec if isinstance(layer, int)][-1], size, size)
        assert head(x).shape == (2, EMBEDDING)


def test_conv4s_embedding_is_squashed_and_conv6s_is_not():
    images = 50 * torch.rand(4, 3, 32, 32)
    for name, squashed in (("conv4", True), ("conv6", False)):
        net = network(name=name)
        x = normalize(images)
        for block in net.blocks:
            x = block(x)
        assert bool((net.heads[0](100 * x).abs() <= 1).all()) == squashed


def test_activity_neither_dies_nor_explodes_on_the_way_up():
    images = torch.rand(4, 3, 32, 32)
    for name in SPECS:
        assert 0.02 < network(name=name)(images).std() < 20


@pytest.mark.parametrize("name", ["conv7", "nowhere.SPEC", "learners.networks.network.SPEC"])
def test_a_network_that_is_not_there_is_refused(name):
    with pytest.raises(SettingError, match=f"network.name={name}"):
        network(name=name)


BLOCKS = {
    "NONE": (),
    "BARE": ((8, "relu"), ("pool", "relu")),
    "DRAWN": ((8, lambda channels: nn.Sequential(nn.Identity(), nn.Dropout(0.5))),),
    "WEIGHTY": ((8, lambda channels: nn.Conv2d(channels, channels, 1), "relu", "pool"),),
    "NORMED": ((8, nn.BatchNorm2d, "relu", "pool"), (8, nn.BatchNorm2d, "relu", "pool")),
}


@pytest.fixture
def own(monkeypatch):
    """Networks of a user's, by dotted paths `mine.NAME`."""
    module = ModuleType("mine")
    for name, blocks in BLOCKS.items():
        setattr(module, name, Spec(blocks, squash=True))
    monkeypatch.setitem(sys.modules, "mine", module)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("NONE", "network.name=mine.NONE has no blocks"),
        ("BARE", "network.name=mine.BARE: block 2 has no convolution"),
        ("DRAWN", "Dropout draws what no resumed run would"),
    ],
)
def test_a_network_that_cannot_learn_or_be_resumed_is_refused(own, name, line):
    with pytest.raises(SettingError, match=line):
        network(name=f"mine.{name}")


class Projected(Loss):
    """A loss of a user's with weights of its own, drawn as torch does."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(EMBEDDING, 8)

    def forward(self, u, v, *, episode, gap=None):
        loss = (self.linear(u) - self.linear(v)).square().mean()
        return loss, {"loss": loss.detach()}


def test_weights_of_ones_own_parts_are_a_function_of_the_seed_and_learn(own, monkeypatch):
    monkeypatch.setattr(sys.modules["mine"], "Projected", Projected, raising=False)
    parts = {"network": "mine.WEIGHTY", "loss": {"kind": "mine.Projected"}}
    torch.rand(7)  # whoever drew before
    before = torch.get_rng_state()
    one, again, other = (built(**parts, schedule="end_to_end", feedback="random", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert same(one.state_dict(), again.state_dict())
    for part in ("network", "losses"):
        assert not same(getattr(one, part).state_dict(), getattr(other, part).state_dict())
    assert not torch.equal(one.network.blocks[0][1].weight, other.network.blocks[0][1].weight)
    one.update(batches(1)[0])
    assert not torch.equal(one.losses[0].linear.weight, again.losses[0].linear.weight)
    assert not torch.equal(one.network.blocks[0][1].weight, again.network.blocks[0][1].weight)


@pytest.mark.parametrize("rule", [("end_to_end", {}), ("simultaneous", {}), ("target_prop", TARGETS)])
def test_a_batchnorm_is_not_touched_by_scores_or_by_watching_and_scores_rows_by_themselves(own, rule):
    schedule, more = rule
    parts = {"network": "mine.NORMED", "loss": {"kind": "vicreg"}}
    one, other = (built(**parts, schedule=schedule, **more) for _ in range(2))
    for pairs in batches(3):
        monitor(one, pairs)
        one.encode(pairs.first)
        one.encode_blocks(pairs.second)
        for learner in (one, other):
            learner.update(pairs)
    assert same(one.state_dict(), other.state_dict())
    assert torch.allclose(one.encode(pairs.first)[:2], one.encode(pairs.first[:2]), atol=1e-5)


def test_too_small_images_are_refused_with_a_size_that_works():
    with pytest.raises(SettingError, match="env.size=15 .* try 32"):
        network(15)
    network(16)


def test_the_random_encoder_is_the_same_network_wherever_its_heads_are():
    top, every = network(heads="top"), network(heads="every", feedback="updated")
    for name, value in top.blocks.state_dict().items():
        assert torch.equal(value, every.blocks.state_dict()[name])
    assert torch.equal(top.heads[0].linear.weight, every.heads[-1].linear.weight)


def test_forward_and_feedback_weights_are_drawn_alike_and_apart():
    layer = network(feedback="random").blocks[1][0]
    assert not torch.equal(layer.weight, layer.feedback_weight)
    for drawn in (layer.weight, layer.feedback_weight):  # uniform in +-1/sqrt(fan in)
        assert drawn.abs().max() <= 288**-0.5
        assert drawn.std().item() == pytest.approx((3 * 288) ** -0.5, rel=0.03)


def test_building_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    network(heads="every", feedback="updated")
    assert torch.equal(before, torch.get_rng_state())


def test_channels_last_goes_all_the_way_up_and_flattens_without_a_copy():
    net = network().to(memory_format=torch.channels_last)
    x = normalize(torch.rand(2, 32, 32, 3).permute(0, 3, 1, 2))
    for block in net.blocks:
        x = block(x)
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert flat(x).data_ptr() == x.data_ptr()
