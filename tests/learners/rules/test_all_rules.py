"""Each rule that sends errors against its equations, in float64, with the way back written out by hand."""

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d, max_pool2d, max_unpool2d
from torch.nn.grad import conv2d_weight

from tests.helpers.learners import RULES, batches, float64, learner

END_TO_END = ("bp", "rf", "urf", "sign")
LAYER_WISE = ("dgl", "gll", "rll", "gll_rf", "rll_rf")


def way_back(layer, feedback):
    """B_l, as the papers have it: W, random and its own, or the signs of W times the std that W was drawn with."""
    if feedback == "sign":
        return layer.weight.sign() * (3 * layer.weight[0].numel()) ** -0.5  # of a uniform in +-1/sqrt(fan in)
    return layer.weight if feedback == "backprop" else layer.feedback_weight


def sweep(images, blocks):
    """(h_{l-1}, places of the maxima, h_l) of every block: h_l = tanh(pool(W_l * h_{l-1})), the pixels in [-2, 2]."""
    h, layers = (images - 0.5) * 4, []
    for block in blocks:
        pooled, places = max_pool2d(conv2d(h, block[0].weight, padding=1), 2, return_indices=True)
        layers.append((h, places, pooled.tanh()))
        h = layers[-1][2]
    return layers


def embedding(h, head):
    return (h.permute(0, 2, 3, 1).flatten(1) @ head.linear.weight.T).tanh()


def error_at(u, v):
    """dL/dv of the hinge with `stop_gradient`, from its definition over all (B, B, D) differences."""
    v = v.clone().requires_grad_()
    distance = (u[:, None] - v).abs().sum(2)
    others = ~torch.eye(len(u), dtype=torch.bool)
    loss = (distance.diagonal() - 1).clamp_min(0).sum() + (3 - distance).clamp_min(0)[others].sum()
    return torch.autograd.grad(loss / len(u), v)[0]


def below_head(error, v, h, head, feedback):
    """The head's weights' gradient, and the error at h: delta_z = tanh'(.) e, then across by B."""
    delta = error * (1 - v**2)
    matrix = delta.T @ h.permute(0, 2, 3, 1).flatten(1)
    across = delta @ way_back(head.linear, feedback)
    batch, channels, height, width = h.shape
    return matrix, across.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def below_block(error, block, below, places, h, feedback):
    """The block's weights' gradient corr(h_{l-1}, delta_l), and conv_transpose(delta_l, B_l), the error at h_{l-1}."""
    delta = max_unpool2d(error * (1 - h**2), places, 2)
    kernel = conv2d_weight(below, block[0].weight.shape, delta, padding=1)
    return kernel, conv_transpose2d(delta, way_back(block[0], feedback), padding=1)


def gradients_are(layer, expected, feedback):
    """The layer's increment, which updated feedback weights receive too."""
    assert torch.allclose(layer.weight.grad, expected, atol=1e-12)
    if feedback == "updated":
        assert torch.equal(layer.feedback_weight.grad, layer.weight.grad)


@pytest.mark.parametrize("rule", END_TO_END)
def test_an_end_to_end_rule_is_its_recursion_from_the_top_to_the_pixels(rule):
    feedback, one, pairs = RULES[rule][1], learner(rule), float64(batches(1)[0])
    blocks, head = one.network.double().blocks, one.network.heads[-1]
    one.learn(pairs)
    with torch.no_grad():
        u = embedding(sweep(pairs.first, blocks)[-1][2], head)
        up = sweep(pairs.second, blocks)
        v = embedding(up[-1][2], head)
    matrix, error = below_head(error_at(u, v), v, up[-1][2], head, feedback)
    gradients_are(head.linear, matrix, feedback)
    for block, (below, places, h) in zip(reversed(blocks), reversed(up), strict=True):
        kernel, error = below_block(error, block, below, places, h, feedback)
        gradients_are(block[0], kernel, "backprop" if block is blocks[0] else feedback)  # no error goes to the pixels


@pytest.mark.parametrize("rule", LAYER_WISE)
def test_a_layer_wise_block_learns_from_its_own_loss_one_step_below_its_head(rule):
    feedback, one, pairs = RULES[rule][1], learner(rule), float64(batches(1)[0])
    blocks, learnt = one.network.double().blocks, set()
    with torch.no_grad():
        first, second = (sweep(images, blocks) for images in (pairs.first, pairs.second))
    for one.updates in range(20):  # from which the schedule knows whose turn it is; no weight moves
        one.optimiser.zero_grad()
        one.learn(pairs)
        for number, (block, head) in enumerate(zip(blocks, one.network.heads, strict=True)):
            if number not in one.schedule(one.updates):
                assert block[0].weight.grad is None
                continue
            with torch.no_grad():
                u, v = (embedding(up[number][2], head) for up in (first, second))
            below, places, h = second[number]
            matrix, error = below_head(error_at(u, v), v, h, head, feedback)
            kernel, _ = below_block(error, block, below, places, h, feedback)
            gradients_are(head.linear, matrix, feedback)
            assert torch.allclose(block[0].weight.grad, kernel, atol=1e-12)
            learnt.add(number)
    assert learnt == {0, 1, 2, 3}
