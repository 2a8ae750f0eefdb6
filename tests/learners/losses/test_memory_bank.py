"""A learner that sees each frame once and remembers: as one that is shown both views, as long as no weight changes."""

from itertools import islice

import gymnasium as gym
import pytest
import torch

from envs.errors import SettingError
from learners.losses.memory_bank import MemoryBank, Remembered
from learners.rules.end_to_end import EndToEnd
from streams.live import Live
from streams.pairing.pairing import PairStream, TemporalSettings
from streams.pairing.single_frames import SingleFrameStream
from streams.types import Pairs
from tests.helpers.learners import RULES, TARGETS, batches, built, hinge, same, weights

GAPS = TemporalSettings(gap=3, gap_distribution="uniform")


def learner(rule="bp", *, remember=True, negatives=0, lr=0.0, longest_gap=3):
    schedule, feedback = RULES[rule]
    loss, targets = {"remember": remember, "negatives": negatives}, TARGETS | {"inverse_steps": int(lr > 0)}
    one = built(
        schedule=schedule, feedback=feedback, loss=loss, updates=40, longest_gap=longest_gap, lr=lr or 1e-3,
        **(targets if rule == "dtp" else {}),
    )  # fmt: skip
    one.settings.lr = lr
    return one


def frames(worlds, *, episode_length=8):
    world = gym.make_vec("Counting-v0", num_envs=worlds, size=16, episode_length=episode_length, stagger=worlds > 1)
    return Live(world, seed=0)


def toy(moments, *, dwell=6, worlds=1, seed=0):
    """SingleFrameStream of worlds in which a picture stays for a while: noisy views of it, one at a time."""
    pictures = batches(1, rows=worlds * (moments // dwell + 2), seed=seed)[0].first
    draws, single_frames = torch.Generator().manual_seed(seed + 1), []
    for moment in range(moments):
        episode = moment // dwell * worlds + torch.arange(worlds)
        views = (pictures[episode] + 0.1 * torch.randn(worlds, 3, 16, 16, generator=draws)).clamp(0, 1)
        views = views.contiguous(memory_format=torch.channels_last)
        single_frames.append(Pairs(None, views, torch.full((worlds,), 2), episode, (moment + 1) * worlds))
    return single_frames


def gradients(one):
    return [p.grad.clone() for block in one.network.blocks for p in block.parameters() if p.grad is not None]


@pytest.mark.parametrize("rule", ["bp", "rf", "dgl", "rll", "gll", "dtp"])
def test_as_long_as_no_weight_changes_it_learns_what_a_blocked_hinge_learns_from_both_views(rule):
    remembering, shown = learner(rule), learner(rule, remember=False)
    moments, pairs = SingleFrameStream(frames(5), GAPS), PairStream(frames(5), GAPS)
    for batch in islice(pairs, 8):
        moment = next(moments)
        while moment.frames < batch.frames:  # fewer than two pairs: a step that a pair stream passes over
            remembering.update(moment)
            moment = next(moments)
        shown.updates = remembering.updates
        report, expected = remembering.update(moment), shown.update(batch)
        assert report.keys() == expected.keys()
        tolerance = {"rtol": 1e-4, "atol": 1e-6}  # convolutions of other batches round otherwise
        assert all(torch.allclose(report[name], expected[name], **tolerance) for name in report if "target" not in name)
        for a, b in zip(gradients(remembering), gradients(shown), strict=True):
            scale = 5 / len(batch.gap) if rule == "dtp" else 1  # its targets' errors are means over all rows
            assert torch.allclose(scale * a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("worlds", [1, 3])
def test_negatives_are_the_last_embeddings_of_the_last_episodes_that_ended_and_never_of_the_same(worlds):
    one, embeddings = learner(negatives=4), []
    for moment in (
        next(stream)
        for stream in [SingleFrameStream(frames(worlds, episode_length=5), TemporalSettings(gap=2))]
        for _ in range(40)
    ):
        report = one.update(moment)
        with torch.no_grad():
            v = one.embed(moment.second)
        history = list(enumerate(embeddings))
        ended = []  # (when, world): the last moments of episodes that are over, in order
        for when, (_, episode) in history:
            later = embeddings[when + 1][1] if when + 1 < len(embeddings) else None
            ended += [(when, w) for w in range(worlds) if later is not None and later[w] != episode[w]]
        total, rows = 0.0, 0
        for w in range(worlds):
            if len(embeddings) < 2 or embeddings[-2][1][w] != moment.episode[w]:
                continue
            rows += 1
            total += max(0.0, float((embeddings[-2][0][w] - v[w]).abs().sum()) - 1)
            others = [embeddings[when][0][other] for when, other in ended[-4:]]
            assert all(embeddings[when][1][other] != moment.episode[w] for when, other in ended[-4:])
            total += sum(max(0.0, 3 - float((other - v[w]).abs().sum())) for other in others) / max(len(others), 1)
        assert bool(report) == bool(rows)
        if rows:
            assert report["loss"].item() == pytest.approx(total / rows, rel=1e-4)
        embeddings.append((v, moment.episode))


def both_views(one, *, rows=24):
    """The hinge with `stop_gradient` of held-out pairs at the top of a network."""
    pairs = batches(1, rows=rows, seed=5)[0]
    with torch.no_grad():
        u, v = (EndToEnd.embed(one, view) for view in pairs[:2])
    return hinge()(u, v, episode=pairs.episode)[0].item()


@pytest.mark.parametrize("rule", ["bp", "dgl", "dtp"])
def test_a_single_world_learns_one_frame_at_a_time(rule):
    one = learner(rule, negatives=5, lr=5e-4, longest_gap=2)
    before = both_views(one)
    for moment in toy(150):
        one.update(moment)
    assert both_views(one) < 0.9 * before


@pytest.mark.parametrize("rule", ["bp", "dgl", "gll", "rll", "dtp"])
def test_what_is_remembered_is_saved_so_that_eleven_and_nine_updates_are_twenty(rule, tmp_path):
    moments = toy(20, dwell=4, worlds=2)
    straight, half, resumed = (learner(rule, negatives=3, lr=1e-3) for _ in range(3))
    for moment in moments:
        straight.update(moment)
    for moment in moments[:11]:
        half.update(moment)
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for moment in moments[11:]:
        resumed.update(moment)
    assert same(straight.state_dict(), resumed.state_dict())


def test_where_nothing_is_remembered_yet_nothing_is_learned():
    one = learner(negatives=2, lr=1e-3)
    before = weights(one)
    assert one.update(toy(1)[0]) == {}
    assert same(before, weights(one))
    assert one.updates == 1


def test_a_past_keeps_no_more_than_it_is_asked_for():
    past = MemoryBank(2, 3)
    for moment in range(20):
        past.add(torch.full((4, 1), float(moment)), torch.tensor([moment // 2, 100 + moment, 200, 300 + moment // 9]))
    assert past.moments.shape == (2, 4, 1)
    assert past.moments.flatten().unique().tolist() == [18.0, 19.0]
    embeddings, episodes = past.ended()
    assert dict(zip(episodes.tolist(), embeddings.flatten().tolist(), strict=True)) == {117: 17, 301: 17, 118: 18}
    rows, before = past.before(torch.tensor([1, 1, 2, 1]), torch.tensor([10, 119, 200, 302]))
    assert rows.tolist() == [1, 2, 3]
    assert before.flatten().tolist() == [19.0, 19.0, 18.0, 19.0]


def test_a_hinge_of_which_both_views_learn_cannot_be_remembered():
    with pytest.raises(SettingError, match="loss.remember=true .* loss=hinge_remembered"):
        Remembered(hinge(stop_gradient=False), longest_gap=3)
