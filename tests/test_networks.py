import pytest
import torch

from envs.errors import SettingError
from learners.networks import EMBEDDING, Network, flat, prepared


def network(size=32, *, heads="top", feedback="backprop", seed=0):
    return Network("conv4", size=size, feedback=feedback, heads=heads, seed=seed)


@pytest.mark.parametrize(("size", "features"), [(16, 256), (32, 1024), (64, 4096)])
def test_features_and_heads_fit_the_images(size, features):
    net, images = network(size, heads="every"), torch.rand(2, 3, size, size)
    assert net.features(images).shape == (2, features)
    x = prepared(images)
    for block, head, width in zip(net.blocks, net.heads, (32, 64, 128, 256), strict=True):
        x = block(x)
        size //= 2
        assert x.shape == (2, width, size, size)
        assert head(x).shape == (2, EMBEDDING)


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
    assert not torch.equal(layer.weight, layer.back)
    for drawn in (layer.weight, layer.back):  # uniform in +-1/sqrt(fan in)
        assert drawn.abs().max() <= 288**-0.5
        assert drawn.std().item() == pytest.approx((3 * 288) ** -0.5, rel=0.03)


def test_building_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    network(heads="every", feedback="updated")
    assert torch.equal(before, torch.get_rng_state())


def test_channels_last_goes_all_the_way_up_and_flattens_without_a_copy():
    net = network().to(memory_format=torch.channels_last)
    x = prepared(torch.rand(2, 32, 32, 3).permute(0, 3, 1, 2))
    for block in net.blocks:
        x = block(x)
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert flat(x).data_ptr() == x.data_ptr()
