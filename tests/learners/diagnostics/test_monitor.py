import numpy as np
import pytest
import torch

from learners.diagnostics.monitor import alignments, effective_rank, monitor, readings
from tests.helpers.learners import HEBBIAN, RULES, batches, hinge, learner, same


@pytest.mark.parametrize("rule", RULES)
def test_watching_touches_nothing_that_the_next_update_depends_on(rule):
    monitored, unmonitored = learner(rule), learner(rule)
    pairs = batches(4)
    for batch in pairs:
        monitor(monitored, pairs[0])
        monitored.update(batch)
        unmonitored.update(batch)
    assert same(monitored.state_dict(), unmonitored.state_dict())


@pytest.mark.parametrize("rule", RULES)
def test_every_block_has_a_row_of_numbers(rule):
    rows = monitor(learner(rule), batches(1)[0])
    assert {f"watch/block{number}" for number in range(1, 5)} <= set(rows)
    assert all(value == value for row in rows.values() for value in row.values())
    last = rows["watch/block4"]
    assert {"positive_distance", "negative_distance"} <= set(last)
    assert {"length"} <= set(last) if rule in HEBBIAN else {"loss", "active"} <= set(last)
    assert (last["update_norm"] > 0) == (rule != "none")


@pytest.mark.parametrize("kind", ["greedy", "random"])
def test_each_block_of_a_layer_wise_rule_is_watched_whichever_learns_now(kind):
    rows = monitor(learner({"greedy": "gll", "random": "rll"}[kind]), batches(1)[0])
    assert all(rows[f"watch/block{number}"]["update_norm"] > 0 for number in range(1, 5))


def shares(pairs):
    """The same pairs, of which the last two rows show one episode."""
    return pairs._replace(episode=torch.tensor([*range(len(pairs.episode) - 1), len(pairs.episode) - 2]))


def embeddings(one, images):
    """(B, 64) float64 of every head, written out."""
    h, outputs = (images - 0.5) * 4, []
    heads = [*[None] * (4 - len(one.network.heads)), *one.network.heads]
    for block, head in zip(one.network.blocks, heads, strict=True):
        h = torch.max_pool2d(torch.conv2d(h, block[0].weight, padding=1), 2).tanh()
        outputs.append(None if head is None else (h.permute(0, 2, 3, 1).flatten(1) @ head.linear.weight.T).tanh())
    return [z if z is None else z.detach().double().numpy() for z in outputs]


def normalised(z):
    return z / np.sqrt((z**2).sum(1, keepdims=True))


def standardised(z):
    return (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)


SPACES = {  # loss=NAME: (its settings, what it compares of u and v by the head's own weights, the norm)
    "hinge": ({"kind": "hinge", "negatives": 0, "stop_gradient": False}, lambda u, v, w: (u, v), 1),
    "hinge_stop_gradient": ({"kind": "hinge", "stop_gradient": True}, lambda u, v, w: (u, v), 1),
    "hinge_remembered": ({"kind": "hinge", "remember": True, "longest_gap": 2}, lambda u, v, w: (u, v), 1),
    "ntxent": ({"kind": "ntxent"}, lambda u, v, w: (normalised(u), normalised(v)), 2),
    "clapp": ({"kind": "clapp"}, lambda u, v, w: (u @ w.T, v), 2),
    "barlow_twins": ({"kind": "barlow_twins"}, lambda u, v, w: (standardised(u), standardised(v)), 2),
    "vicreg": ({"kind": "vicreg"}, lambda u, v, w: (u, v), 2),
}


@pytest.mark.parametrize("rule", ["bp", "dgl", "dtp", "none"])
@pytest.mark.parametrize("name", SPACES)
def test_every_loss_is_watched_by_the_distances_that_it_compares(rule, name):
    settings, space, norm = SPACES[name]
    one, pairs = learner(rule, **settings), shares(batches(1)[0])
    rows = monitor(one, pairs)
    losses = [*[None] * (4 - len(one.losses)), *one.losses]
    views = zip(embeddings(one, pairs.first), embeddings(one, pairs.second), strict=True)
    for number, (loss, (u, v)) in enumerate(zip(losses, views, strict=True), 1):
        row = rows[f"watch/block{number}"]
        if loss is None:
            assert "positive_distance" not in row
            continue
        weight = loss.prediction.weight.detach().double().numpy() if name == "clapp" else None
        a, b = space(u, v, weight)
        far = {
            (i, j): (abs(a[i] - b[j]) ** norm).sum() ** (1 / norm)
            for i in range(len(a))
            for j in range(len(b))
            if i == j or pairs.episode[i] != pairs.episode[j]
        }
        near = [far.pop((i, i)) for i in range(len(a))]
        assert row["positive_distance"] == pytest.approx(np.mean(near), rel=1e-4)
        assert row["negative_distance"] == pytest.approx(np.mean(list(far.values())), rel=1e-4)


def test_a_hinge_tells_the_distances_that_it_compared():
    pairs, some = batches(1)[0], {"negatives": 2, "stop_gradient": False}
    one = learner("bp", **some)
    u, v = (one.embed(images) for images in (pairs.first, pairs.second))
    report = hinge(**some)(u, v, episode=pairs.episode)[1]
    row = monitor(one, pairs)["watch/block4"]
    assert row["negative_distance"] == float(report["negative_distance"])
    assert row["negative_distance"] != monitor(learner("bp"), pairs)["watch/block4"]["negative_distance"]


def cosines(rule, **loss):
    return [
        {name: float(value) for name, value in row.items()} for row in alignments(learner(rule, **loss), batches(1)[0])
    ]


@pytest.mark.parametrize("rule", ["bp", "dgl", "gll", "dtp"])
def test_what_one_update_leaves_is_what_it_is_aligned_by(rule):
    one, pairs = learner(rule), batches(1)[0]
    rows = monitor(one, pairs)
    for number, row in enumerate(alignments(one, pairs), 1):
        assert rows[f"alignment/block{number}"] == {name: float(value) for name, value in row.items()}


def test_backpropagation_is_the_true_gradient():
    for row in cosines("bp"):
        assert row["own_gradient"] == row["top_gradient"] == pytest.approx(1, abs=1e-5)
        assert row["feedback"] == pytest.approx(1, abs=1e-5)


def test_random_feedback_begins_unaligned():
    rows = cosines("rf")
    assert all(abs(row["feedback"]) < 0.2 and abs(row["own_gradient"]) < 0.5 for row in rows)


def test_the_sign_of_the_weights_is_nearer_than_chance():
    assert all(row["feedback"] == pytest.approx(3**0.5 / 2, abs=0.05) for row in cosines("sign"))  # of uniform weights


def test_a_layer_wise_rule_by_backpropagation_follows_its_own_loss_and_not_the_top_one():
    rule = learner("dgl")
    for layer in rule.network.modules():
        if hasattr(layer, "feedback"):
            layer.feedback = "backprop"
    rows = alignments(rule, batches(1)[0])
    assert all(float(row["own_gradient"]) == pytest.approx(1, abs=1e-5) for row in rows)
    assert float(rows[0]["top_gradient"]) < 0.99
    assert float(rows[3]["top_gradient"]) == pytest.approx(1, abs=1e-5)  # the last block's own loss is the top one


class Transposed(torch.nn.Module):
    """What backpropagation carries back across a block, at one activity below it."""

    def __init__(self, block, below):
        super().__init__()
        self.block, self.below = block, below

    @torch.enable_grad()
    def forward(self, error):
        below = self.below.clone().requires_grad_()
        return torch.autograd.grad(self.block(below), below, error)[0]


def test_inverses_are_compared_with_what_backpropagation_carries_back():
    rule, pairs = learner("dtp"), batches(1)[0]
    drawn = [float(row["feedback"]) for row in alignments(rule, pairs)[1:]]
    assert all(abs(cosine) < 0.5 for cosine in drawn)
    h = [output for _, output in readings(rule.network, pairs.second)]
    rule.inverses = [Transposed(block, below) for block, below in zip(rule.network.blocks[1:], h, strict=False)]
    assert all(float(row["feedback"]) == pytest.approx(1, abs=1e-3) for row in rule.feedback_alignment(pairs)[1:])


def test_the_effective_rank_counts_equal_directions_and_finds_collapse():
    draws = torch.Generator().manual_seed(0)
    centred = torch.randn(64, 5, generator=draws)
    axes = torch.linalg.qr(centred - centred.mean(0))[0]  # (64, 5), orthonormal and still centred
    wide = axes @ torch.linalg.qr(torch.randn(40, 5, generator=draws))[0].T
    assert float(effective_rank(wide)) == pytest.approx(5, abs=0.05)
    assert float(effective_rank(torch.ones(20, 7))) == pytest.approx(1)
    assert float(effective_rank(torch.randn(50, 2000, generator=draws))) == pytest.approx(49, rel=0.02)
