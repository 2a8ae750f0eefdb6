import itertools
from math import exp, log, sqrt

import numpy as np
import pytest
import torch

from envs.errors import SettingError
from learners.losses.build import build_losses
from learners.losses.equations import barlow_twins, ntxent, vicreg
from tests.helpers.learners import hinge, loss_settings

ROWS = 7
EPISODE = torch.tensor([0, 1, 2, 2, 3, 4, 5])  # two rows of one episode


def embeddings(spread):
    draws = torch.Generator().manual_seed(1)
    u = spread * torch.randn(ROWS, 5, dtype=torch.float64, generator=draws)
    v = u + 0.3 * spread * torch.randn(ROWS, 5, dtype=torch.float64, generator=draws)
    return u.requires_grad_(), v.requires_grad_()


def distance(a, b):
    return sum(abs(x - y) for x, y in zip(a.tolist(), b.tolist(), strict=True))


def loop(u, v, *, negatives=0, average="sum", anchors="first"):
    """The hinge as a double loop over rows: the definition, one number at a time."""
    rows, partner = [*u, *v], [*range(ROWS, 2 * ROWS), *range(ROWS)]
    episode = EPISODE.tolist() * 2
    total = 0.0
    for i in range(ROWS if anchors == "first" else 2 * ROWS):
        others = range(ROWS, 2 * ROWS) if anchors == "first" else range(2 * ROWS)
        if negatives:
            others = [ROWS + (i + 1 + (ROWS - 1) * step // negatives) % ROWS for step in range(negatives)]
        pushes = [max(0.0, 3 - distance(rows[i], rows[j])) for j in others if episode[j] != episode[i]]
        violators = sum(push > 0 for push in pushes)
        weight = 1 / max(violators, 1) if average == "violators" else 1 / negatives if negatives else 1
        total += max(0.0, distance(rows[i], rows[partner[i]]) - 1) + weight * sum(pushes)
    return total / (ROWS if anchors == "first" else 2 * ROWS)


FORMS = [
    *({"negatives": n, "average": average} for n, average in itertools.product((0, 2, 5), ("sum", "violators"))),
    {"anchors": "both", "stop_gradient": False},
    {"anchors": "both", "stop_gradient": False, "average": "violators"},
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spread", [0.2, 0.6])
def test_the_hinge_is_its_double_loop_and_so_is_its_gradient(form, spread):
    u, v = embeddings(spread)
    loss, report = hinge(**{"stop_gradient": False, **form})(u, v, episode=EPISODE)
    plain = {name: value for name, value in form.items() if name != "stop_gradient"}
    assert loss.item() == pytest.approx(loop(u, v, **plain), rel=1e-12)
    assert report["loss"].item() == loss.item()
    loss.backward()
    for row, column in [(0, 0), (3, 2), (6, 4)]:
        for tensor in (u, v):
            sides = []
            for step in (1e-6, -1e-6):
                moved = tensor.detach().clone()
                moved[row, column] += step
                sides.append(loop(*((moved, v) if tensor is u else (u, moved)), **plain))
            assert tensor.grad[row, column].item() == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-6)


def test_no_error_goes_through_a_blocked_view():
    u, v = embeddings(0.4)
    hinge(stop_gradient=True)(u, v, episode=EPISODE)[0].backward()
    assert u.grad is None
    assert v.grad.abs().sum() > 0


def test_rows_of_one_episode_alone_make_no_negatives_and_no_nan():
    u, v = embeddings(0.4)
    for form in FORMS:
        loss, report = hinge(**{"stop_gradient": False, **form})(u, v, episode=torch.zeros(ROWS, dtype=torch.int64))
        pull = torch.relu((u - v).abs().sum(1) - 1).mean()
        assert loss.item() == pytest.approx(pull.item())
        assert all(torch.isfinite(value) for value in report.values())


@pytest.mark.parametrize(
    ("setting", "more"),
    [
        ("anchors", {"anchors": "all"}),
        ("average", {"average": "mean"}),
        ("negatives", {"negatives": -1}),
        ("negative_margin", {"negative_margin": 0.5}),
        ("anchors=both", {"anchors": "both"}),
    ],
)
def test_a_loss_that_means_nothing_is_refused_by_name(setting, more):
    with pytest.raises(SettingError, match=f"loss.{setting}"):
        hinge(**more)


def made(feedback="backprop", seed=0, **settings):
    return build_losses(settings, widths=[64], feedback=feedback, seed=seed)[0]


def apart(u, v):
    """Rows that all show different episodes, as numpy."""
    return u.detach().numpy(), v.detach().numpy(), torch.arange(len(u))


def test_the_hinges_gradient_through_cdist_is_that_of_the_difference_of_all_rows():
    u, v = embeddings(0.4)
    hinge(stop_gradient=False)(u, v, episode=EPISODE)[0].backward()
    a, b = u.detach().clone().requires_grad_(), v.detach().clone().requires_grad_()
    distance = (a[:, None] - b).abs().sum(2)  # by way of (B, B, D)
    push = torch.relu(3 - distance) * (EPISODE[:, None] != EPISODE)
    (torch.relu(distance.diagonal() - 1) + push.sum(1)).mean().backward()
    assert torch.allclose(u.grad, a.grad, atol=1e-12)
    assert torch.allclose(v.grad, b.grad, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.9])
@pytest.mark.parametrize("side", [0, 1])
def test_the_gradient_of_l1_distances_is_torchs_however_few_pairs_have_an_error(share, side):
    draws = torch.Generator().manual_seed(0)
    rows = [torch.randn(count, 5, generator=draws, dtype=torch.float64) for count in (30, 41)]
    rows[1][:3] = rows[0][:3]  # where the slope is 0
    error = torch.randn(30, 41, generator=draws, dtype=torch.float64)
    error *= torch.rand(30, 41, generator=draws) < share
    rows[side].requires_grad_()
    (ours,) = torch.autograd.grad(hinge().distances(*rows), rows[side], error)
    (torchs,) = torch.autograd.grad(torch.cdist(*rows, p=1), rows[side], error)
    assert torch.allclose(ours, torchs, atol=1e-12)
    assert (ours.count_nonzero() > 0) == (share > 0)


def test_where_every_row_is_an_anchor_its_gradient_is_that_of_the_difference_of_all_rows_too():
    u, v = embeddings(0.4)
    hinge(anchors="both", stop_gradient=False, average="violators")(u, v, episode=EPISODE)[0].backward()
    a, b = u.detach().clone().requires_grad_(), v.detach().clone().requires_grad_()
    rows, episode = torch.cat([a, b]), EPISODE.repeat(2)
    distance = (rows[:, None] - rows).abs().sum(2)
    push = torch.relu(3 - distance) * (episode[:, None] != episode)
    push = push.sum(1) / (push.detach() > 0).sum(1).clamp_min(1)
    pull = torch.relu((a - b).abs().sum(1) - 1).repeat(2)
    (pull + push).mean().backward()
    assert torch.allclose(u.grad, a.grad, atol=1e-12)
    assert torch.allclose(v.grad, b.grad, atol=1e-12)


@pytest.mark.parametrize("spread", [0.2, 2.0])
def test_ntxent_is_its_double_loop_over_all_rows_of_other_episodes(spread):
    u, v = embeddings(spread)
    z = [row / np.linalg.norm(row) for row in torch.cat([u, v]).detach().numpy()]
    episode, total = EPISODE.tolist() * 2, 0.0
    for i in range(2 * ROWS):
        j = (i + ROWS) % (2 * ROWS)
        others = [k for k in range(2 * ROWS) if k == j or episode[k] != episode[i]]
        total -= log(exp(z[i] @ z[j] / 0.3) / sum(exp(z[i] @ z[k] / 0.3) for k in others))
    assert ntxent(u, v, episode=EPISODE, temperature=0.3).item() == pytest.approx(total / (2 * ROWS), abs=1e-6)


@pytest.mark.parametrize("spread", [0.2, 2.0])
def test_barlow_twins_is_the_correlation_of_the_two_views_against_the_identity(spread):
    u, v = embeddings(spread)
    a, b, episode = apart(u, v)
    a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (a, b))
    total = 0.0
    for i, j in itertools.product(range(5), range(5)):
        c = sum(a[row, i] * b[row, j] for row in range(ROWS)) / ROWS
        total += (1 - c) ** 2 if i == j else 0.1 * c**2
    assert barlow_twins(u, v, episode=episode, redundancy=0.1).item() == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize("spread", [0.2, 2.0])
def test_vicreg_is_the_sum_of_its_three_terms(spread):
    u, v = embeddings(spread)
    a, b, episode = apart(u, v)
    alike = sum((x - y) ** 2 for x, y in zip(a.flat, b.flat, strict=True)) / a.size
    spread = covaried = 0.0
    for z in (a, b):
        spread += sum(max(0.0, 1 - sqrt(z[:, i].var(ddof=1) + 1e-4)) for i in range(5)) / 5 / 2
        c = np.cov(z.T)
        covaried += sum(c[i, j] ** 2 for i, j in itertools.product(range(5), range(5)) if i != j) / 5
    loss = vicreg(u, v, episode=episode, invariance=3.0, variance=2.0, covariance=0.5).item()
    assert loss == pytest.approx(3 * alike + 2 * spread + 0.5 * covaried, abs=1e-6)


def clapp_loop(u, w, v):
    total = 0.0
    for i in range(ROWS):
        score = [float(v[j] @ w @ u[i]) for j in range(ROWS)]
        others = [j for j in range(ROWS) if EPISODE[j] != EPISODE[i]]
        total += max(0.0, 1 - score[i]) + sum(max(0.0, 1 + score[j]) for j in others) / len(others)
    return total / ROWS


@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_clapp_is_its_double_loop_and_its_weights_learn(spread):
    criterion = made(kind="clapp").double()
    draws = torch.Generator().manual_seed(0)
    u, v = spread * torch.randn(2, ROWS, 64, dtype=torch.float64, generator=draws)
    w = criterion.prediction.weight
    loss, report = criterion(u, v, episode=EPISODE)
    assert loss.item() == pytest.approx(clapp_loop(u.numpy(), w.detach().numpy(), v.numpy()), rel=1e-9)
    assert 0 <= report["active"] <= 1
    loss.backward()
    moved = w.detach().clone()
    moved[3, 5] += 1e-6
    slope = (clapp_loop(u.numpy(), moved.numpy(), v.numpy()) - loss.item()) / 1e-6
    assert w.grad[3, 5].item() == pytest.approx(slope, abs=1e-6)


def test_clapps_error_reaches_the_earlier_view_through_the_feedback_of_its_weights_or_not_at_all():
    views = 0.1 * torch.randn(2, ROWS, 64)
    errors = {}
    for stop_gradient, feedback in ((True, "backprop"), (False, "backprop"), (False, "random")):
        u = views[0].clone().requires_grad_()
        made(kind="clapp", feedback=feedback, stop_gradient=stop_gradient)(u, views[1], episode=EPISODE)[0].backward()
        errors[stop_gradient, feedback] = u.grad
    assert errors[True, "backprop"] is None
    assert not torch.allclose(errors[False, "backprop"], errors[False, "random"])


@pytest.mark.parametrize("kind", ["ntxent", "barlow_twins", "vicreg", "clapp"])
def test_each_loss_is_finite_where_all_rows_show_one_episode_and_where_views_are_equal(kind):
    u = torch.randn(ROWS, 64)
    for v in (u, u + 0.1):
        loss, report = made(kind=kind)(u, v, episode=torch.zeros(ROWS, dtype=torch.int64))
        assert torch.isfinite(loss)
        assert all(torch.isfinite(value) for value in report.values())


def test_every_head_has_its_own_weights_of_a_loss_and_seeds_differ():
    a, b = build_losses(loss_settings(kind="clapp"), widths=[64, 64], feedback="updated", seed=0)
    assert not torch.equal(a.prediction.weight, b.prediction.weight)
    assert not torch.equal(a.prediction.weight, made(kind="clapp", seed=1).prediction.weight)


def two(u, v, *, episode):
    return torch.stack([u.mean(), v.mean()])


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("loss.kind=hinges is unknown; did you mean hinge", {"kind": "hinges"}),
        ("loss.kind=nowhere.at_all cannot be imported", {"kind": "nowhere.at_all"}),
        ("loss.margin is no setting of hinge", {"kind": "hinge", "margin": 1}),
        ("loss.margin is no setting of vicreg, .* or choose loss=vicreg", {"kind": "vicreg", "margin": 1}),
        ("loss.redundancy=-1", {"kind": "barlow_twins", "redundancy": -1}),
        ("loss.variance=-1", {"kind": "vicreg", "variance": -1}),
        ("loss.temperature=0", {"kind": "ntxent", "temperature": 0}),
        ("two must return the loss as a tensor without axes", {"kind": f"{__name__}.two"}),
    ],
)
def test_a_loss_that_cannot_work_is_refused_before_any_work(message, settings):
    with pytest.raises(SettingError, match=message):
        made(**settings)


def test_a_loss_of_ones_own_is_named_with_a_dot_or_a_colon():
    for path in ("examples.triplet.triplet", "examples.triplet:triplet"):
        (loss,) = build_losses({"kind": path, "margin": 0.25}, widths=[5], feedback="backprop", seed=0)
        assert loss(*embeddings(1), episode=EPISODE)[0] > 0
