"""What a recording shows, in which order, and to how many at once."""

import json
from contextlib import closing
from itertools import islice

import numpy as np
import pytest
import torch

from envs.counting import spelt
from envs.errors import SettingError
from streams.pairing.pairing import TemporalSettings, build_pairs
from streams.record import record
from streams.replay import player
from streams.replay.sequential import Replay
from streams.replay.shuffled import ShuffledReplay
from tests.helpers.recordings import SMALL, assert_same, live, recorded, recorder, replay_of

LENGTH, WORLDS = 350, 3  # of the recording
UNIFORM = TemporalSettings(gap=3, gap_distribution="uniform")


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    return str(recorded(tmp_path_factory.mktemp("walk") / "walk.zarr", LENGTH * WORLDS))


def other(tmp_path, worlds, seed=1):
    overrides = [*SMALL, f"env.num_worlds={worlds}", f"seed={seed}", f"record.path={tmp_path}/other.zarr"]
    record([*overrides, f"record.frames={200 * worlds}"])
    return f"{tmp_path}/other.zarr"


def shown(path, steps=None, **settings):
    """(T, rows, 3): the seed, episode and age that each frame spells; and the episode numbers (T, rows)."""
    with closing(replay_of(path, **settings)) as replay:
        frames_shown = list(islice(replay, steps))
    assert [frames.step for frames in frames_shown] == list(range(len(frames_shown)))
    images = torch.stack([frames.images for frames in frames_shown]).numpy()
    return np.stack(spelt(images), -1), torch.stack([frames.episode for frames in frames_shown]).numpy()


def rows(spelled):
    """Frames as a sorted list."""
    return sorted(map(tuple, spelled.reshape(-1, 3).tolist()))


@pytest.mark.parametrize("start", [0, 1, 16, 335, 336, 349])
def test_it_goes_on_from_any_step_as_if_it_had_been_there(walk, start):
    with (
        closing(replay_of(walk)) as straight,
        closing(replay_of(walk)) as jumped,
        closing(replay_of(walk, start=start)) as cut,
    ):
        jumped.load_state_dict(straight.state_dict() | {"step": start - 1})
        frames = list(straight)[start:]
        for one, two, three in zip(frames, jumped, cut, strict=True):
            assert_same(one, two)
            assert_same(one._replace(step=one.step - start), three)


@pytest.mark.parametrize(
    "settings",
    [
        {"order": "window", "window": 200},
        {"order": "shuffled"},
        {"order": "shuffled", "clip": 7},
        {"order": "episodes"},
        {"worlds": 6},
    ],
)
@pytest.mark.parametrize("at", [1, 40, 300])
def test_every_order_is_resumed_where_it_was(walk, settings, at):
    settings = {**settings, "repeat": True, "seed": 3}
    with closing(replay_of(walk, **settings)) as straight, closing(replay_of(walk, **settings)) as resumed:
        for _ in islice(straight, at):
            pass
        resumed.load_state_dict(json.loads(json.dumps(straight.state_dict())))
        for one, two in islice(zip(straight, resumed, strict=False), 80):
            assert_same(one, two)


@pytest.mark.parametrize("settings", [{}, {"worlds": 6}, {"order": "window", "window": 60}, {"order": "shuffled"}])
def test_large_frames_are_read_fewer_at_once_and_shown_alike(walk, monkeypatch, settings):
    expected = shown(walk, start=5, **settings)
    monkeypatch.setattr(player, "BLOCK_BYTES", 1)
    with closing(replay_of(walk, **settings)) as replay:
        assert replay.players[0].block == 1
    for images, known in zip(shown(walk, start=5, **settings), expected, strict=True):
        assert np.array_equal(images, known)


@pytest.mark.parametrize("settings", [{"order": "shuffled"}, {"order": "window", "window": 150}, {"order": "episodes"}])
@pytest.mark.parametrize("worlds", [0, 5, 150])
def test_once_round_shows_every_frame_once_but_for_a_remainder(walk, settings, worlds):
    lived, _ = shown(walk)
    spelled, _ = shown(walk, worlds=worlds, **settings)
    assert set(rows(spelled)) <= set(rows(lived))
    assert len(set(rows(spelled))) == spelled[..., 0].size > 0.8 * lived[..., 0].size
    assert worlds or spelled[..., 0].size == lived[..., 0].size - (
        lived[..., 0].size % 150 if "window" in settings else 0
    )


def test_shuffled_frames_are_anywhere_and_those_of_a_window_near(walk):
    lived, _ = shown(walk)
    place = {tuple(frame): step for step, row in enumerate(lived.tolist()) for frame in row}

    def moved(**settings):
        spelled, _ = shown(walk, **settings)
        return np.array([[place[tuple(frame)] - step for frame in row] for step, row in enumerate(spelled.tolist())])

    assert 80 < np.abs(moved(order="shuffled")).mean() < 155  # a third of the length
    assert np.abs(moved(order="window", window=60)).max() < 20
    assert not np.array_equal(moved(order="shuffled", seed=1), moved(order="shuffled", seed=2))


def test_a_clip_stays_together(walk):
    spelled, _ = shown(walk, order="shuffled", clip=5)
    same = (spelled[1:, :, :2] == spelled[:-1, :, :2]).all(-1) & (spelled[1:, :, 2] == spelled[:-1, :, 2] + 1)
    assert same[np.arange(len(same)) % 5 != 4].mean() > 0.8  # the others have the end of an episode within
    assert same[4::5].mean() < 0.1


def test_episodes_are_whole_and_in_another_order(walk):
    spelled, episode = shown(walk, order="episodes", worlds=4)
    lengths = [np.bincount(np.r_[0, np.cumsum(row[1:] != row[:-1])]) for row in episode.T]
    assert np.mean(np.concatenate(lengths) == 7) > 0.9
    inside = episode[1:] == episode[:-1]
    assert (spelled[1:, :, 2] - spelled[:-1, :, 2])[inside].tolist() == [1] * inside.sum()
    assert not np.array_equal(np.unique(episode[:, 0]), episode[:, 0][np.sort(np.unique(episode[:, 0], True)[1])])


def test_more_rows_than_worlds_play_other_parts_of_the_time(walk):
    lived, _ = shown(walk)
    spelled, _ = shown(walk, worlds=9)
    assert len(spelled) == LENGTH // 3
    for part in range(3):
        assert np.array_equal(spelled[:, 3 * part : 3 * part + 3], lived[part * len(spelled) :][: len(spelled)])
    assert np.array_equal(shown(walk, worlds=2)[0], lived[:, :2])


def test_going_round_again_is_the_same_frames_with_other_episodes(walk):
    spelled, episode = shown(walk, 2 * LENGTH + 5, repeat=True)
    assert np.array_equal(spelled[:LENGTH], spelled[LENGTH : 2 * LENGTH])
    assert set(episode[:LENGTH].ravel()).isdisjoint(episode[LENGTH : 2 * LENGTH].ravel())
    assert np.array_equal(episode[:LENGTH], shown(walk)[1])
    again, _ = shown(walk, 2 * LENGTH, repeat=True, order="shuffled")
    assert not np.array_equal(again[:LENGTH], again[LENGTH:])
    assert rows(again[:LENGTH]) == rows(again[LENGTH:])


def test_several_are_shown_side_by_side_by_weight(tmp_path, walk):
    two = [walk, other(tmp_path, 6)]
    spelled, episode = shown(two, weights=[1, 3], worlds=8)
    one_seed = set(shown(walk)[0][..., 0].ravel())
    assert [set(spelled[:, row, 0]) <= one_seed for row in range(8)] == [True] * 2 + [False] * 6
    assert len(spelled) == 200
    assert set(episode[:, :2].ravel()).isdisjoint(episode[:, 2:].ravel())
    assert shown(two)[0].shape[1] == 6  # half and half, as many as there are of the smaller
    assert shown(two, weights=[1, 2])[0].shape[1] == 9
    with pytest.raises(SettingError, match="leaves a recording out; try 10"):
        shown(two, weights=[1, 9], worlds=3)
    with pytest.raises(SettingError, match="must be one positive number for each of 2"):
        shown(two, weights=[1])


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"path": 5}, "stream.path=5 is no path of a recording; write ./5 for a folder"),
        ({"path": ["{0}", True]}, "is no path of a recording; write ./True"),
        ({"path": None}, "stream.path is not given"),
        ({"path": __file__}, r"^stream.path=.*test_replay.py is a file, and a recording is a folder; choose another"),
        ({"path": []}, "stream.path is not given"),
        ({"frames": 1051}, "gives 1,050 frames .* run.frames=1,051 are asked for; record more, set run.frames=1050"),
        ({"frames": 60, "start": 331}, "gives 57 frames in this order from stream.start=331 on, and run.frames=60"),
        ({"worlds": 1500}, "too few for stream.worlds=1500 rows in this order; try stream.worlds=1050 or fewer"),
        (
            {"order": "window", "worlds": 99, "window": 60, "repeat": True},
            "too few for stream.worlds=99 .* try stream.worlds=60 or fewer",
        ),
        ({"order": "shuffled", "clip": 999}, "try stream.worlds=1 or fewer, or a smaller stream.clip"),
        ({"start": 350}, "stream.start=350 is outside .*, which has 350 steps"),
        ({"start": -1}, "stream.start=-1 is outside"),
    ],
)
def test_a_mistake_is_one_line(walk, settings, line):
    path = settings.pop("path", walk)
    with pytest.raises(SettingError, match=line) as caught:
        replay_of([one if one is True else walk for one in path] if isinstance(path, list) else path, **settings)
    assert "\n" not in str(caught.value)


def test_frames_at_the_end_that_make_no_batch_say_which_settings_are_too_large(walk):
    with closing(replay_of(walk, kind=ShuffledReplay, order="shuffled", frames=LENGTH * WORLDS)) as replay:
        list(islice(replay, LENGTH))
        with pytest.raises(SettingError, match="the last of run.frames=1,050 make no whole batch of pairs; set"):
            next(replay)


def test_a_reader_under_a_live_writer_sees_a_prefix_and_then_the_rest(tmp_path):
    with closing(recorder(tmp_path / "walk.zarr")) as writer:
        for _ in range(340):
            next(writer)
        writer.state_dict()
        with closing(replay_of(tmp_path / "walk.zarr")) as reader, closing(replay_of(tmp_path / "walk.zarr")) as second:
            replayed = list(islice(reader, 340))
            for _ in range(400):
                next(writer)
            writer.state_dict()
            replayed += islice(reader, 400)
            writer.close()
            assert not list(reader)
            assert len(list(second)) == 740
    for frames, lived in zip(replayed, live(), strict=False):
        assert_same(frames, lived)


def in_pairs(path, order, steps=30, **settings):
    """Seeds, episodes and ages of both views of every pair, and the gaps."""
    kind = ShuffledReplay if order != "episodes" else Replay
    with closing(replay_of(path, kind=kind, order=order, seed=1, repeat=True, **settings)) as replay:
        batches = list(islice(build_pairs(replay, pairs=UNIFORM), steps))
    views = [
        torch.cat([getattr(batch, name) for batch in batches]).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
        for name in ("first", "second")
    ]
    return [np.stack(spelt(images), -1) for images in views], torch.cat([batch.gap for batch in batches]).numpy()


@pytest.mark.parametrize("order", ["window", "shuffled", "episodes"])
def test_neighbours_in_time_are_found_in_any_order(tmp_path, walk, order):
    paths = [walk, other(tmp_path, 6)]
    (earlier, later), gap = in_pairs(paths, order, worlds=8, window=60, weights=[1, 2])
    assert np.array_equal(earlier[:, :2], later[:, :2])
    assert np.array_equal(later[:, 2] - earlier[:, 2], gap)
    assert set(gap) == {1, 2, 3}
    assert len(gap) > 0.6 * 30 * 8
    assert len({tuple(row) for row in later.tolist()}) > 0.8 * len(later)


@pytest.mark.parametrize("order", ["window", "shuffled"])
def test_pairs_out_of_order_are_resumed_where_they_were_and_in_the_next_round(walk, order):
    """The first round lasts 119 or 131 steps, and few of them make no pairs."""
    settings = {"kind": ShuffledReplay, "order": order, "worlds": 8, "window": 60, "repeat": True, "seed": 1}
    with closing(replay_of(walk, **settings)) as one, closing(replay_of(walk, **settings)) as other:
        straight, resumed = (build_pairs(source, pairs=UNIFORM) for source in (one, other))
        for _ in islice(straight, 100):
            pass
        resumed.load_state_dict(straight.state_dict())
        for expected, pairs in islice(zip(straight, resumed, strict=True), 80):
            assert all(torch.equal(*both) for both in zip(expected[:4], pairs[:4], strict=True))
        assert one.step > one.length
