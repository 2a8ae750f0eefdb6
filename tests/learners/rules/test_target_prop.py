import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d, max_pool2d

from envs.errors import SettingError
from learners.networks.network import SPECS, Network, normalize
from learners.rules.target_prop import TargetProp, TargetPropSettings, inverses_of, ldrl, noise_like, top_target
from streams.seeding import generator
from tests.helpers.learners import batches, float64, learner


def double(rule):
    """A DTP learner in float64, and its weights by the paper's letters."""
    rule.network.double()
    rule.inverses.double()
    forward = [block[0].weight.detach().clone() for block in rule.network.blocks]
    return forward, [inverse.weight.detach().clone() for inverse in rule.inverses]


def activities(images, forward):
    h = [normalize(images)]
    for w in forward:
        h.append(torch.tanh(max_pool2d(conv2d(h[-1], w, padding=1), 2)))
    return h


def back(h, g):
    return torch.tanh(conv_transpose2d(h, g, stride=2, padding=1))


def test_targets_are_the_equations():
    rule, pairs = learner("dtp"), float64(batches(1)[0])
    forward, inverse = double(rule)
    h = activities(pairs.second, forward)[1:]
    gradient = torch.randn_like(h[3])
    targets = rule.targets(h, gradient)
    t = [None, None, None, h[3] - 0.5 * gradient]
    for level in (3, 2, 1):  # t_{l-1} = h_{l-1} - G_l(h_l) + G_l(t_l)
        t[level - 1] = h[level - 1] - back(h[level], inverse[level - 1]) + back(t[level], inverse[level - 1])
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(targets, t, strict=True))


def test_the_top_target_steps_against_each_rows_own_gradient_whatever_the_batch():
    h, row_gradient = torch.zeros(10, 4), torch.randn(10, 4)
    of_the_mean = row_gradient / 10
    assert torch.allclose(top_target(h, of_the_mean * 10, alpha=0.5), -0.5 * row_gradient)


def test_the_inverses_learn_from_their_own_loss_only_and_before_the_blocks():
    rule, pairs = learner("dtp"), float64(batches(1)[0])
    forward, inverse = double(rule)
    h = activities(pairs.second, forward)[1:]
    rule.learn(pairs)
    for level in (2, 3, 4):  # ||G_l(F_l(h_{l-1} + sigma e)) - (h_{l-1} + sigma e)||^2, F_l as it was
        noise = noise_like(h[level - 2], generator(0, f"noise/{level}/0", 0))
        noisy = h[level - 2] + 0.3 * noise
        g = inverse[level - 2].clone().requires_grad_()
        above = torch.tanh(max_pool2d(conv2d(noisy, forward[level - 1], padding=1), 2))
        (back(above, g) - noisy).square().sum().div(len(noisy)).backward()
        assert torch.allclose(rule.inverses[level - 2].weight.grad, g.grad, atol=1e-10)


def test_a_blocks_gradient_is_that_of_its_own_distance_to_its_target():
    rule, pairs = learner("dtp"), float64(batches(1)[0])
    forward, inverse = double(rule)
    head = rule.network.heads[0].linear.weight.detach()
    h = activities(pairs.second, forward)
    top = h[4].clone().requires_grad_()

    def embed(x):
        return torch.tanh(x.permute(0, 2, 3, 1).flatten(1) @ head.T)

    with torch.no_grad():
        u = embed(activities(pairs.first, forward)[4])
    rule.loss(u, embed(top), episode=pairs.episode)[0].backward()
    t = h[4] - 0.5 * len(u) * top.grad
    rule.learn(pairs)
    for level in (4, 3, 2, 1):
        w = forward[level - 1].clone().requires_grad_()
        out = torch.tanh(max_pool2d(conv2d(h[level - 1], w, padding=1), 2))
        (out - t).square().sum().div(len(u)).backward()
        assert torch.allclose(rule.network.blocks[level - 1][0].weight.grad, w.grad, atol=1e-10)
        if level > 1:
            t = h[level - 1] - back(h[level], inverse[level - 2]) + back(t, inverse[level - 2])


@pytest.mark.parametrize(
    "form", [{}, {"stop_gradient": False}, {"anchors": "both", "stop_gradient": False, "average": "violators"}]
)
def test_the_top_target_steps_by_the_gradient_of_the_sum_over_anchors_in_every_form(form):
    rule, pairs = learner("dtp", **form), float64(batches(1)[0])
    double(rule)
    with torch.no_grad():
        u, v = (rule.activities(images)[-1] for images in (pairs.first, pairs.second))
    stop_gradient, head = not form, rule.network.heads[-1]
    top = (v if stop_gradient else torch.cat([u, v])).requires_grad_()
    views = (head(u).detach(), head(top)) if stop_gradient else head(top).chunk(2)
    anchors = 2 * len(u) if form.get("anchors") == "both" else len(u)
    (gradient,) = torch.autograd.grad(anchors * rule.loss(*views, episode=pairs.episode)[0], top)
    recorded, targets = {}, rule.targets
    rule.targets = lambda h, given: recorded.update(gradient=given) or targets(h, given)
    rule.learn(pairs)
    assert torch.allclose(recorded["gradient"], gradient, atol=1e-12)


def test_the_difference_reconstruction_loss_makes_the_inverse_of_a_linear_layer_its_transpose():
    draws = torch.Generator().manual_seed(0)
    f = torch.randn(4, 6, dtype=torch.float64, generator=draws)  # F(x) = f x
    g = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([g], lr=0.05)
    for _ in range(600):
        x, dx = torch.randn(2, 256, 6, dtype=torch.float64, generator=draws)
        dy = torch.randn(256, 4, dtype=torch.float64, generator=draws)
        optimiser.zero_grad()
        ldrl(dx, dy, x @ f.T @ g.T, (x + dx) @ f.T @ g.T, (x @ f.T + dy) @ g.T).backward()
        optimiser.step()
    assert torch.allclose(g, f.T, atol=0.1 * f.abs().max().item())
    assert torch.nn.functional.cosine_similarity(g.flatten(), f.T.flatten(), dim=0) > 0.995


def test_with_ldrl_the_inverses_learn_from_its_equation():
    rule, pairs = learner("dtp_ldrl"), float64(batches(1)[0])
    forward, inverse = double(rule)
    h = activities(pairs.second, forward)[1:]
    rule.learn(pairs)
    for level in (2, 3, 4):
        below, above, g = h[level - 2], h[level - 1], inverse[level - 2].clone().requires_grad_()
        dx = 0.3 * noise_like(below, generator(0, f"noise/{level}/0", 0))
        dy = 0.3 * noise_like(above, generator(0, f"noise/above/{level}/0", 0))
        moved = torch.tanh(max_pool2d(conv2d(below + dx, forward[level - 1], padding=1), 2))
        pull = (dx * (back(moved, g) - back(above, g))).sum()
        (-2 * pull + (back(above + dy, g) - back(above, g)).square().sum()).div(len(dx)).backward()
        assert torch.allclose(rule.inverses[level - 2].weight.grad, g.grad, atol=1e-10)


@pytest.mark.parametrize("kernel", range(1, 7))
@pytest.mark.parametrize("name", ["conv4", "conv5"])
def test_inverses_of_any_kernel_fit_or_are_refused(name, kernel):
    settings, spec = TargetPropSettings(inverse_kernel=kernel), SPECS[name]
    if name == "conv5" and kernel % 2 == 0:
        with pytest.raises(SettingError, match=f"learner.inverse_kernel={kernel} .* choose an odd one"):
            TargetProp.check(settings, spec=spec, size=32)
        return
    TargetProp.check(settings, spec=spec, size=32)
    network = Network(name, size=32, feedback="backprop", heads="none", seed=0)
    h = network.outputs(torch.rand(2, 3, 32, 32))
    for below, above, inverse in zip(h, h[1:], inverses_of(spec, seed=0, kernel=kernel), strict=False):
        assert inverse(above).shape == below.shape


@pytest.mark.parametrize("name", SPECS)
def test_inverses_fit_blocks_with_and_without_pooling_and_end_in_the_range_of_the_block_below(name):
    size, below = 32, None
    for block, inverse in zip(SPECS[name].blocks, [None, *inverses_of(SPECS[name], seed=0)], strict=True):
        size //= 2 ** block.count("pool")
        h = 5 * torch.randn(2, block[0], size, size)
        if inverse:
            output = inverse(h)
            assert output.shape == below[1]
            assert output.min() >= (0 if "relu" in below[0] else -1 if {"tanh", "hardtanh"} & {*below[0]} else -1e9)
        below = block, h.shape


def test_some_of_the_rows_teach_the_inverses_by_the_same_loss():
    rule, pairs = learner("dtp"), float64(batches(1)[0])
    forward, _ = double(rule)
    h = [activity.detach() for activity in activities(pairs.second, forward)[1:]]
    rule.teach_inverses([activity[::3] for activity in h])
    fewer = learner("dtp")
    double(fewer)
    fewer.settings.inverse_rows = 4  # of 12
    fewer.teach_inverses(h)
    assert all(map(torch.equal, rule.inverses.parameters(), fewer.inverses.parameters()))
