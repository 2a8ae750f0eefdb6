"""Losses made for time against loops in float64, and what is published of them."""

import itertools
from math import exp, log, log1p

import numpy as np
import pytest
import torch

from envs.errors import SettingError
from learners.losses.build import build_losses
from learners.losses.byol import byol
from learners.losses.moments import moments
from learners.losses.scff import goodness
from learners.losses.temporal import lpl, lpl_stale, sfa
from tests.helpers.learners import batches, learner, loss_settings, same

ROWS, UNITS = 7, 5
EPISODE = torch.tensor([0, 1, 2, 2, 3, 4, 5])


def views(seed=0, rows=ROWS, units=UNITS):
    draws = torch.Generator().manual_seed(seed)
    u = torch.randn(rows, units, dtype=torch.float64, generator=draws)
    v = u + 0.3 * torch.randn(u.shape, dtype=torch.float64, generator=draws)
    return u.requires_grad_(), v.requires_grad_()


def criterion(width=UNITS, **settings):
    return build_losses(loss_settings(**settings), widths=[width], feedback="backprop", seed=0)[0].double()


def covariance_loop(z):
    mean = [sum(row[k] for row in z) / len(z) for k in range(UNITS)]
    pairs = itertools.product(range(UNITS), range(UNITS))
    sums = {(i, k): sum((row[i] - mean[i]) * (row[k] - mean[k]) for row in z) / (len(z) - 1) for i, k in pairs}
    return mean, sums


def test_lpl_is_its_three_terms_counted_one_number_at_a_time():
    u, v = views()
    a, b = u.tolist(), v.tolist()
    predictive = sum((x - y) ** 2 for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)) / (7 * 5)
    hebbian = decorrelation = 0.0
    for z in (a, b):
        _, c = covariance_loop(z)
        hebbian -= sum(log(c[k, k] + 1e-4) for k in range(UNITS)) / UNITS / 2
        decorrelation += sum(c[i, k] ** 2 for i, k in c if i != k) / (UNITS**2 - UNITS) / 2
    terms = lpl(u, v, hebbian=0.7, decorrelation=3.0)
    assert [term.item() for term in terms] == pytest.approx([predictive, 0.7 * hebbian, 3 * decorrelation], rel=1e-12)


def test_with_the_batchs_own_moments_stored_the_stale_form_has_the_same_gradient():
    u, v = views()
    torch.stack(lpl(u, v, hebbian=0.7, decorrelation=3.0)).sum().backward()
    a, b = (view.detach().clone().requires_grad_() for view in (u, v))
    stored = [tuple(each.detach() for each in moments(view)) for view in (a, b)]
    torch.stack(lpl_stale(a, b, stored, hebbian=0.7, decorrelation=3.0)).sum().backward()
    assert torch.allclose(u.grad, a.grad, atol=1e-12)
    assert torch.allclose(v.grad, b.grad, atol=1e-12)


def test_stale_statistics_are_those_of_the_batch_before_and_let_no_row_depend_on_another():
    one = criterion(kind="lpl", statistics="stale")
    before, (u, v) = views(seed=1), views()
    one(*before, episode=EPISODE)
    state = {name: value.clone() for name, value in one.state_dict().items()}
    assert torch.allclose(one.mean[1], before[1].mean(0))
    one(u, v, episode=EPISODE)[0].backward()
    one.load_state_dict(state)
    a, b = (view.detach().clone() for view in (u, v))
    a[-1], b[-1] = 5.0, -3.0
    one(a.requires_grad_(), b.requires_grad_(), episode=EPISODE)[0].backward()
    assert torch.equal(u.grad[:-1], a.grad[:-1])
    assert not torch.equal(u.grad[-1], a.grad[-1])


def smallest_spread(hebbian):
    """The least deviation of a unit, after learning on noise in which nothing but the mean is the same over time."""
    draws = torch.Generator().manual_seed(0)
    weight = (0.3 * torch.randn(3, 6, generator=draws)).requires_grad_()
    optimiser = torch.optim.Adam([weight], lr=0.03)
    for _ in range(300):
        x = torch.randn(64, 6, generator=draws)
        y = x + 0.5 * torch.randn(64, 6, generator=draws)
        optimiser.zero_grad()
        torch.stack(lpl(x @ weight.T, y @ weight.T, hebbian=hebbian, decorrelation=10.0)).sum().backward()
        optimiser.step()
    return float((torch.randn(500, 6, generator=draws) @ weight.detach().T).std(0).min())


def test_without_its_hebbian_term_lpl_collapses_and_with_it_does_not():
    assert smallest_spread(0.0) < 0.02
    assert smallest_spread(1.0) > 0.5


def test_sfa_is_its_sum_over_rows_and_units():
    u, v = views()
    a, b = u.tolist(), v.tolist()
    slow = sum((x - y) ** 2 for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)) / ROWS
    _, c = covariance_loop(a + b)
    white = sum((c[i, k] - (i == k)) ** 2 for i, k in c)
    assert sfa(u, v, episode=EPISODE, whitening=0.3).item() == pytest.approx(slow + 0.3 * white, rel=1e-12)


def test_sfa_finds_the_slow_sine_of_a_mixed_signal():
    time = torch.arange(600) * 0.1
    sources = torch.stack([torch.sin(time), torch.sin(11 * time), torch.cos(23 * time)], 1)
    mixed = sources @ torch.tensor([[0.3, -1.0, 0.5], [1.0, 0.4, 0.8], [-0.7, 0.9, 1.1]])
    weight = torch.full((1, 3), 0.1, requires_grad=True)
    optimiser = torch.optim.Adam([weight], lr=0.02)
    for _ in range(400):
        z = mixed @ weight.T
        optimiser.zero_grad()
        sfa(z[:-1], z[1:], episode=time, whitening=1.0).backward()
        optimiser.step()
    found = (mixed @ weight.detach().T)[:, 0]
    assert abs(np.corrcoef(found.numpy(), sources[:, 0].numpy())[0, 1]) > 0.99


@pytest.mark.parametrize("pairs", ["temporal", "published"])
def test_scff_is_its_loop_over_sums_of_two_halves(pairs):
    u, v = views()
    one = criterion(kind="scff", pairs=pairs, positive_threshold=0.8, negative_threshold=0.3, energy=0.01)
    a, b, other = u.tolist(), v.tolist(), [(row + 3) % ROWS for row in range(ROWS)]

    def good(x, y):
        return sum(max(0.0, p + q) ** 2 for p, q in zip(x, y, strict=True)) / UNITS

    negative_rows = [row for row in range(ROWS) if EPISODE[row] != EPISODE[other[row]]]
    if pairs == "temporal":
        positive = [good(a[row], b[row]) for row in range(ROWS)]
        negative = [good(a[row], b[other[row]]) for row in negative_rows]
    else:
        positive = [good(z[row], z[row]) for z in (a, b) for row in range(ROWS)]
        negative = [good(z[row], z[other[row]]) for z in (a, b) for row in negative_rows]
    total = sum(log1p(exp(0.8 - g)) for g in positive) / len(positive)
    total += sum(log1p(exp(g - 0.3)) for g in negative) / len(negative)
    total += 0.01 * sum(g**2 for g in positive) ** 0.5 / len(positive)
    assert one(u, v, episode=EPISODE)[0].item() == pytest.approx(total, rel=1e-12)


def test_one_kernel_on_both_halves_is_a_convolution_of_the_halves_beside_each_other():
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 4, 6, dtype=torch.float64, generator=draws)
    weight = torch.randn(3, 6, dtype=torch.float64, generator=draws)
    both = torch.cat([x, y], 1) @ torch.cat([weight, weight], 1).T
    assert torch.allclose(goodness(x @ weight.T, y @ weight.T), both.relu().square().mean(1), atol=1e-12)


def test_byol_is_two_less_two_cosines_and_no_error_goes_to_the_slow_copy():
    u, v = views()
    total = sum(2 - 2 * (p @ q) / np.linalg.norm(p) / np.linalg.norm(q) for p, q in zip(*numpy(u, v), strict=True))
    loss = byol(u, v)
    assert loss.item() == pytest.approx(total / ROWS, rel=1e-12)
    loss.backward()
    assert v.grad is None


def test_byol_predicts_from_each_view_what_the_copy_makes_of_the_other():
    one, (u, v), others = criterion(kind="byol", hidden=4), views(), views(seed=3)
    q = [np.maximum(z @ one.hidden.weight.detach().numpy().T, 0) @ one.out.weight.detach().numpy().T
         for z in numpy(u, v)]  # fmt: skip
    u_slow, v_slow = numpy(*others)
    total = sum(
        2 - 2 * (p @ t) / np.linalg.norm(p) / np.linalg.norm(t)
        for ps, ts in ((q[0], v_slow), (q[1], u_slow))
        for p, t in zip(ps, ts, strict=True)
    )
    assert one(u, v, episode=EPISODE, others=others)[0].item() == pytest.approx(total / ROWS, rel=1e-12)


def numpy(*tensors):
    return [tensor.detach().numpy() for tensor in tensors]


@pytest.mark.parametrize("rule", ["bp", "dgl", "rll", "dtp"])
def test_the_slow_copy_follows_the_weights_and_is_never_sent_an_error(rule):
    one = learner(rule, kind="byol")
    before = {name: value.clone() for name, value in one.slow_copy.state_dict().items()}
    one.update(batches(1)[0])
    now = one.network.state_dict()
    for name, value in one.slow_copy.state_dict().items():
        assert torch.allclose(value, 0.99 * before[name] + 0.01 * now[name], atol=1e-6), name
    assert all(weight.grad is None for weight in one.slow_copy.parameters())


@pytest.mark.parametrize("context", ["same", "top", "both"])
def test_clapps_contexts_predict_the_other_view_and_receive_no_error(context):
    one, (u, v), (first, second) = criterion(kind="clapp", context=context, symmetric=True, stop_gradient=False), *map(
        views, (0, 3)
    )  # fmt: skip
    one(u, v, episode=EPISODE, **({} if context == "same" else {"others": (first, second)}))[0].backward()
    assert first.grad is None
    total = 0.0
    w, top = (getattr(one, name).weight.detach().numpy() if hasattr(one, name) else None
              for name in ("prediction", "from_top"))  # fmt: skip
    for z, c, t in (numpy(v, u, first), numpy(u, v, second)):
        for i in range(ROWS):
            predicted = (0 if w is None else w @ c[i]) + (0 if top is None else top @ t[i])
            others = [j for j in range(ROWS) if EPISODE[j] != EPISODE[i]]
            total += max(0.0, 1 - z[i] @ predicted) + sum(max(0.0, 1 + z[j] @ predicted) for j in others) / len(others)
    more = {} if context == "same" else {"others": (first, second)}
    assert one(u, v, episode=EPISODE, **more)[0].item() == pytest.approx(total / ROWS / 2, rel=1e-9)


def test_clapps_context_at_the_top_is_the_top_blocks_embedding_in_every_block():
    one, pairs = learner("dgl", kind="clapp", context="top"), batches(1)[0]
    asked = one.others(pairs)
    with torch.no_grad():
        assert all(torch.equal(other[0], one.network.embed(pairs.first)) for other in asked)
    assert len(asked) == 4


LOSSES = [
    {"kind": "lpl"}, {"kind": "lpl", "statistics": "stale"}, {"kind": "sfa"}, {"kind": "scff"},
    {"kind": "scff", "pairs": "published"}, {"kind": "byol"}, {"kind": "clapp", "context": "top"},
    {"kind": "clapp", "context": "both", "stop_gradient": False, "symmetric": True},
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: "-".join(map(str, loss.values())))
def test_a_blocks_loss_reaches_no_other_block_and_its_state_is_resumed(loss):
    one, pairs = learner("dgl", **loss), batches(3)
    one.schedule = type(one.schedule)(4, lambda update: 1)
    one.optimiser.zero_grad()
    one.learn(pairs[0])
    grads = [block[0].weight.grad for block in one.network.blocks]
    assert [grad is None for grad in grads] == [True, False, True, True]
    straight, half = learner("dgl", **loss), learner("dgl", **loss)
    for batch in pairs[:2]:
        straight.update(batch)
        half.update(batch)
    resumed = learner("dgl", **loss)
    resumed.load_state_dict(half.state_dict())
    for each in (straight, resumed):
        each.update(pairs[2])
    assert same(straight.state_dict(), resumed.state_dict())


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("loss.hebbian=-1", {"kind": "lpl", "hebbian": -1}),
        ("loss.statistics=old", {"kind": "lpl", "statistics": "old"}),
        ("loss.whitening=0", {"kind": "sfa", "whitening": 0}),
        ("loss.pairs=both", {"kind": "scff", "pairs": "both"}),
        ("loss.momentum=1", {"kind": "byol", "momentum": 1}),
        ("loss.symmetric=true", {"kind": "clapp", "symmetric": True}),
        ("loss.context=bottom", {"kind": "clapp", "context": "bottom"}),
    ],
)
def test_what_means_nothing_is_refused_by_name(message, settings):
    with pytest.raises(SettingError, match=message):
        criterion(**settings)
