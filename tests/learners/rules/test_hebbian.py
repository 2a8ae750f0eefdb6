"""Rules without errors against double loops in float64, and what is published of them."""

import numpy as np
import pytest
import torch
from torch.nn.functional import unfold

from envs.errors import SettingError
from learners.rules.bio_sfa import feedforward, lateral
from learners.rules.softhebb import adaptive, competition, softhebb
from learners.rules.trace import foldiak, inhibited, one_winner, trace, visnet
from tests.helpers.learners import HEBBIAN, batches, built, float64, learner, same, weights


def patches(x):
    """(positions, C * 9) of x (B, C, H, W), the edges padded by zeros."""
    return unfold(x, 3, padding=1).transpose(1, 2).reshape(-1, x.shape[1] * 9).numpy()


def first_convolution(rule, **settings):
    """A rule in float64, its first convolution's weights (M, D) and the patches of both views as numpy."""
    one, pairs = learner(rule, **settings), float64(batches(1, rows=3)[0])
    for part in (one.network, getattr(one, "lateral", torch.nn.Module())):
        part.double()
    one.learn(pairs)
    layer = one.network.blocks[0][0]
    return one, layer, layer.weight.detach().flatten(1).numpy(), [patches((x - 0.5) * 4) for x in pairs[:2]]


def test_softhebb_is_its_double_loop_over_positions_and_units():
    _, layer, w, (_, x) = first_convolution("softhebb")
    change = np.zeros_like(w)
    for row in x:
        u = w @ row
        soft = np.exp(u - u.max()) / np.exp(u - u.max()).sum()
        for k in range(len(w)):
            y = soft[k] if k == u.argmax() else -soft[k]
            change[k] += y * (row - u[k] * w[k])
    change /= np.abs(change).max()
    for k in range(len(w)):
        change[k] *= 0.08 * abs(np.linalg.norm(w[k]) - 1) ** 0.5
    assert np.allclose(-layer.weight.grad.flatten(1).numpy(), change, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("form", ["foldiak", "visnet"])
def test_the_trace_rule_is_its_double_loop_over_positions_and_units(form):
    one, pairs = built(schedule="trace", form=form, rates=[0.05]), float64(batches(1, rows=3)[0])
    one.network.double()
    one.learn(pairs)
    layer = one.network.blocks[0][0]
    w, (before, now) = layer.weight.detach().flatten(1).numpy(), [patches((x - 0.5) * 4) for x in pairs[:2]]
    change = np.zeros_like(w)
    for x, earlier in zip(now, before, strict=True):
        responses = []
        for view in (x, earlier):
            u = w @ view
            responses.append(np.eye(len(w))[u.argmax()] if form == "foldiak" else np.maximum(u - u.mean(), 0))
        for k in range(len(w)):
            y = 0.2 * responses[0][k] + 0.8 * responses[1][k]
            change[k] += 0.05 * y * (x - (w[k] if form == "foldiak" else 0)) / len(now)
    if form == "visnet":
        moved = w + change
        change = moved / np.linalg.norm(moved, axis=1, keepdims=True) - w
    assert np.allclose(-layer.weight.grad.flatten(1).numpy(), change, rtol=1e-6, atol=1e-12)


def test_bio_sfa_is_its_double_loop_over_positions():
    one, pairs = learner("biosfa"), float64(batches(1, rows=3)[0])
    one.network.double()
    one.lateral.double()
    draws = torch.Generator().manual_seed(0)
    mixed = torch.randn(32, 32, dtype=torch.float64, generator=draws)
    one.lateral[0].data += 0.1 * mixed @ mixed.T
    m = one.lateral[0].numpy().copy()
    one.learn(pairs)
    layer = one.network.blocks[0][0]
    w, (before, now) = m @ layer.weight.detach().flatten(1).numpy(), [patches((x - 0.5) * 4) for x in pairs[:2]]
    ys, wxx, yy = np.zeros_like(w), np.zeros_like(w), np.zeros_like(m)
    for x, earlier in zip(now, before, strict=True):
        s = x + earlier
        y = np.linalg.solve(m, w @ s)
        ys += np.outer(y, s) / len(now)
        wxx += np.outer(w @ x, x) / len(now)
        yy += np.outer(y, y) / len(now)
    new_m = m + 0.02 * (yy - m)
    expected = np.linalg.solve(new_m, w + 0.001 * (ys - wxx))
    assert np.allclose(one.lateral[0].numpy(), new_m, atol=1e-12)
    now_is = layer.weight.detach() - layer.weight.grad
    assert np.allclose(now_is.flatten(1).numpy(), expected, rtol=1e-6, atol=1e-10)


def test_softhebbs_weights_tend_to_length_one():
    draws = torch.Generator().manual_seed(0)
    centres = torch.randn(6, 20, generator=draws)
    weight = 3 * torch.randn(6, 20, generator=draws) / 20**0.5
    for _ in range(1500):
        x = centres[torch.randint(6, (30,), generator=draws)] + 0.3 * torch.randn(30, 20, generator=draws)
        u = x @ weight.T
        y = competition(u, beta=1.0)
        step = softhebb(y.T @ x, (y * u).sum(0), weight)
        weight += 0.03 * adaptive(weight, power=0.5)[:, None] * step
    wins = (centres @ weight.T).argmax(1).unique()
    assert len(wins) > 3
    assert torch.allclose(weight[wins].norm(dim=1), torch.ones(len(wins)), atol=0.05)


@pytest.mark.parametrize("form", ["foldiak", "visnet"])
def test_the_trace_rule_binds_two_views_that_follow_one_another(form):
    views = torch.eye(4).repeat_interleave(2, 1)  # A, B, C, D
    followed_by = {0: 1, 2: 3}  # A by B, C by D

    def learnt(eta):
        draws = torch.Generator().manual_seed(3)
        weight = torch.rand(2, 8, generator=draws)
        for step in range(600):
            before, now = views[[0, 2]], views[[1, 3]]
            if step % 2:
                before, now = now, before
            compete = one_winner if form == "foldiak" else inhibited
            y = trace(compete(now @ weight.T), compete(before @ weight.T), eta=eta)
            yx = y.T @ now
            weight += 0.05 * foldiak(yx, y.sum(0), weight) if form == "foldiak" else visnet(yx, weight, rate=0.05)
        return (views @ weight.T).argmax(1)

    winner = learnt(0.8)
    assert all(winner[a] == winner[b] for a, b in followed_by.items())
    assert winner[0] != winner[2]


def test_bio_sfa_finds_the_slow_sine_of_a_mixed_signal():
    time = torch.arange(3000, dtype=torch.float64) * 0.05
    sources = torch.stack([torch.sin(time), torch.sin(11 * time), torch.cos(23 * time)], 1) * 2**0.5
    x = sources @ torch.linalg.qr(torch.tensor([[0.3, -1.0, 0.5], [1.0, 0.4, 0.8], [-0.7, 0.9, 1.1]]).double())[0]
    s, now = x[1:] + x[:-1], x[1:]
    w, m = torch.full((1, 3), 0.2, dtype=torch.float64), torch.eye(1, dtype=torch.float64)
    for _ in range(2000):
        y = s @ torch.linalg.solve(m, w).T
        w = w + 0.01 * feedforward(y.T @ s / len(s), (now @ w.T).T @ now / len(s))
        m = m + 0.02 * lateral(y.T @ y / len(s), m)
    found = (x @ torch.linalg.solve(m, w).T)[:, 0]
    assert abs(np.corrcoef(found, sources[:, 0])[0, 1]) > 0.98


@pytest.mark.parametrize("rule", HEBBIAN)
def test_a_block_learns_from_what_is_below_it_alone(rule):
    pairs = batches(1)[0]
    one, other = learner(rule, lr=1.0), learner(rule, lr=1.0)
    for layer in other.convolutions(other.network)[2:]:
        layer.weight.data *= -1.5
    for each in (one, other):
        each.learn(pairs)
    grads = [[layer.weight.grad for layer in each.convolutions(each.network)] for each in (one, other)]
    assert [torch.equal(a, b) for a, b in zip(*grads, strict=True)] == [True, True, False, False]
    assert all(weight.grad is None for weight in one.network.heads.parameters())


@pytest.mark.parametrize("rule", HEBBIAN)
def test_eleven_and_nine_updates_are_twenty(rule):
    pairs = batches(20)
    straight, half, resumed = (learner(rule, lr=1.0) for _ in range(3))
    for batch in pairs:
        straight.update(batch)
    for batch in pairs[:11]:
        half.update(batch)
    resumed.load_state_dict(half.state_dict())
    for batch in pairs[11:]:
        resumed.update(batch)
    assert same(straight.state_dict(), resumed.state_dict())


@pytest.mark.parametrize(("rule", "uses"), [("softhebb", False), ("trace", True), ("biosfa", True)])
def test_pairs_are_used_or_ignored_as_the_papers_say(rule, uses):
    pairs, one, other = batches(1)[0], learner(rule, lr=1.0), learner(rule, lr=1.0)
    one.update(pairs)
    other.update(pairs._replace(first=1 - pairs.first))
    assert same(weights(one), weights(other)) != uses


@pytest.mark.parametrize("rule", HEBBIAN)
def test_weights_stay_finite_and_move(rule):
    one = learner(rule, lr=1.0)
    before = weights(one)
    for batch in batches(60):
        report = one.update(batch)
    assert all(value.isfinite() for value in report.values())
    moved = [not torch.equal(before[name], value) for name, value in weights(one).items() if "blocks" in name]
    assert all(moved)


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("learner.rates=", {"schedule": "softhebb", "rates": []}),
        ("learner.betas=", {"schedule": "softhebb", "betas": [0.0]}),
        ("learner.eta=2", {"schedule": "trace", "eta": 2}),
        ("learner.form=oja", {"schedule": "trace", "form": "oja"}),
        ("learner.lateral_rate=1", {"schedule": "bio_sfa", "lateral_rate": 1}),
        ("learner.feedback=random has no use in a Hebbian rule", {"schedule": "trace", "feedback": "random"}),
    ],
)
def test_what_makes_no_sense_is_refused(message, settings):
    with pytest.raises(SettingError, match=message):
        built(**settings)
