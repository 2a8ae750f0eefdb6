import itertools

import pytest
import torch

from envs.errors import SettingError
from learners.losses import Hinge

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
    {"anchors": "both", "blocked": False},
    {"anchors": "both", "blocked": False, "average": "violators"},
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spread", [0.2, 0.6])
def test_the_hinge_is_its_double_loop_and_so_is_its_gradient(form, spread):
    u, v = embeddings(spread)
    loss, report = Hinge(**{"blocked": False, **form})(u, v, episode=EPISODE)
    plain = {name: value for name, value in form.items() if name != "blocked"}
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
    Hinge(blocked=True)(u, v, episode=EPISODE)[0].backward()
    assert u.grad is None
    assert v.grad.abs().sum() > 0


def test_rows_of_one_episode_alone_make_no_negatives_and_no_nan():
    u, v = embeddings(0.4)
    for form in FORMS:
        loss, report = Hinge(**{"blocked": False, **form})(u, v, episode=torch.zeros(ROWS, dtype=torch.int64))
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
        Hinge(**more)
