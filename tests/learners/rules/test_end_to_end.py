import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d

from learners.networks.network import normalize
from tests.helpers.learners import HEBBIAN, RULES, batches, float64, learner

PAPERS = {"anchors": "both", "stop_gradient": False, "average": "violators"}  # the form of runs/conf/loss/hinge.yaml


def embed(images, forward, head):
    """The network written out: conv, pool and tanh four times, then the head."""
    x = normalize(images)
    for w in forward:
        x = torch.tanh(max_pool2d(conv2d(x, w, padding=1), 2))
    return torch.tanh(x.permute(0, 2, 3, 1).flatten(1) @ head.T)


def drawn_again(rule):
    rule.network.double()
    forward = [block[0].weight.detach().clone().requires_grad_() for block in rule.network.blocks]
    return forward, rule.network.heads[0].linear.weight.detach().clone().requires_grad_()


@pytest.mark.parametrize("form", [{}, {"stop_gradient": False}, PAPERS], ids=["stop_gradient", "free", "both"])
def test_the_gradient_is_that_of_the_loss_at_the_top(form):
    rule, pairs = learner("bp", **form), float64(batches(1)[0])
    forward, head = drawn_again(rule)
    u, v = (embed(images, forward, head) for images in (pairs.first, pairs.second))
    rule.loss(u, v, episode=pairs.episode)[0].backward()
    rule.learn(pairs)
    assert torch.allclose(rule.network.heads[0].linear.weight.grad, head.grad, atol=1e-12)
    for block, w in zip(rule.network.blocks, forward, strict=True):
        assert torch.allclose(block[0].weight.grad, w.grad, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", [{}, PAPERS], ids=["stop_gradient", "both"])
def test_an_update_reports_detached_finite_scalars_and_counts_itself(rule, form):
    one = learner(rule, **form)
    report = one.update(batches(1)[0])
    assert ("block4/length" if rule in HEBBIAN else "loss") in report
    assert all(value.shape == () and not value.requires_grad and value.isfinite() for value in report.values())
    assert one.updates == 1
    assert type(one.updates) is int


def test_encoding_leaves_no_way_back_and_changes_nothing():
    rule, images = learner("bp"), torch.rand(3, 3, 16, 16)
    features = rule.encode(images)
    assert not features.requires_grad
    assert torch.equal(features, rule.encode(images.contiguous(memory_format=torch.channels_last)))
    assert rule.updates == 0
