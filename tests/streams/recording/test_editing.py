"""Recordings made of parts of others hold those very frames, under numbers of their own."""

import gymnasium as gym
import numpy as np
import pytest

import streams
from envs.counting import spelt
from envs.errors import SettingError
from learners.online import PROGRAM
from runs.launch.launch import start
from streams import edit


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    place = tmp_path_factory.mktemp("walks")
    for name, seed in {"a": 1, "b": 2}.items():
        world = gym.make_vec("Counting-v0", num_envs=3, size=16, episode_length=6)
        streams.write(world, place / f"{name}.zarr", frames=3 * 40, seed=seed)
    return place


def test_a_cut_has_the_same_frames(walks, tmp_path):
    whole = streams.open(walks / "a.zarr")
    cut = streams.select(walks / "a.zarr", tmp_path / "cut.zarr", steps=(7, 31))
    assert (cut.steps, cut.worlds) == (24, 3)
    np.testing.assert_array_equal(cut["images"][:], whole["images"][7:31])
    np.testing.assert_array_equal(cut["age"][:], whole["age"][7:31])


def test_episodes_of_some_categories_follow_one_another(walks, tmp_path):
    whole = streams.open(walks / "a.zarr")
    kept = streams.select(walks / "a.zarr", tmp_path / "kept.zarr", categories=[1, 2])
    expected = [one for one in whole.episodes() if one.category in (1, 2)]
    assert [one.past - one.first for one in kept.episodes()] == [one.past - one.first for one in expected]
    frames = np.concatenate([whole.part(one)["images"] for one in expected])
    np.testing.assert_array_equal(kept["images"][:, 0], frames)
    assert {*np.unique(kept["category"][:])} <= {1, 2}
    one = whole.episodes()[4].number
    assert len(streams.select(walks / "a.zarr", tmp_path / "one.zarr", episodes=[one]).episodes()) == 1


def test_joined_recordings_have_no_episode_in_common(walks, tmp_path):
    joined = streams.select([walks / "a.zarr", walks / "b.zarr"], tmp_path / "joined.zarr")
    assert joined.steps == 2 * 3 * 40
    numbers = [one.number for one in joined.episodes()]
    assert len(numbers) == len({*numbers})
    seeds = spelt(joined["images"][:, 0])[0]
    assert len({*seeds[:120]} & {*seeds[120:]}) == 0


def test_side_by_side_are_more_worlds(walks, tmp_path):
    wide = streams.select([walks / "a.zarr", walks / "b.zarr"], tmp_path / "wide.zarr", side_by_side=True)
    assert (wide.steps, wide.worlds) == (40, 6)
    np.testing.assert_array_equal(wide["images"][:, 3:], streams.open(walks / "b.zarr")["images"][:])
    assert not {*wide["episode"][:, :3].ravel()} & {*wide["episode"][:, 3:].ravel()}


def test_what_was_selected_is_learned_from_and_scored(walks, tmp_path):
    streams.select(walks / "a.zarr", tmp_path / "cut.zarr", steps=(0, 30))
    replay = ["stream=replay", f"stream.path={tmp_path}/cut.zarr", "pairs.gap=2", "run.frames=60", "device=cpu"]
    sizes = ["eval.train=40", "eval.validation=10", "eval.test=20", "eval.ends=[]", "eval.transfer=[]"]
    assert start([*replay, *sizes, f"results_dir={tmp_path}", "run.name=one"], PROGRAM) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": (30, 50)}, "steps=30:50 is outside .* which has 40 steps"),
        ({"categories": [77]}, "would hold nothing"),
        ({"side_by_side": True, "episodes": [1]}, "leave out categories and episodes"),
    ],
)
def test_what_cannot_be_selected_is_one_line(walks, tmp_path, options, message):
    with pytest.raises(SettingError, match=message):
        streams.select(walks / "a.zarr", tmp_path / "x.zarr", **options)


def test_the_command_reads_numbers_and_refuses_others(walks, tmp_path, monkeypatch, capsys):
    out = str(tmp_path / "cut.zarr")
    monkeypatch.setattr("sys.argv", ["edit", out, str(walks / "a.zarr"), "--steps", "3:9"])
    edit.main()
    assert capsys.readouterr().out == f"{out}: 18 frames, 6 steps of 3 worlds\n"
    for wrong in (["--steps", "3"], ["--categories", "a,b"], []):
        monkeypatch.setattr("sys.argv", ["edit", out, str(walks / "a.zarr"), *wrong])
        with pytest.raises(SystemExit) as end:
            edit.main()
        assert end.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
