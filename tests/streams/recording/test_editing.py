"""Recordings made of parts of others hold those very frames, under numbers of their own."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import runs
import streams
from envs.counting import spelt
from envs.errors import SettingError
from learners.online import PROGRAM
from learners.score import score
from runs.launch.start import start
from runs.scores import ScoreKey
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
    own = runs.open(tmp_path / "one")["eval/linear"]["top1"].iloc[-1]
    assert score(tmp_path / "one", ["world"])[ScoreKey()]["top1"] == own
    scores = score(tmp_path / "one", [str(walks / "b.zarr")])
    assert {key.task for key in scores} == {"b"}


@pytest.mark.parametrize("numbers", [np.array([0]), np.array([0, 2]), torch.tensor([0]), {2, 0}, range(1), (0,)])
def test_numbers_are_taken_as_any_iterable_has_them(walks, tmp_path, numbers):
    whole, few = streams.open(walks / "a.zarr"), {int(number) for number in numbers}
    kept = streams.select(whole, tmp_path / "kept.zarr", categories=numbers)
    assert {*np.unique(kept["category"][:])} == few
    chosen = [one for one in whole.episodes() if one.number in few]
    assert kept.steps == sum(one.past - one.first for one in whole.episodes() if one.category in few)
    made = streams.select(whole, tmp_path / "made.zarr", episodes=numbers)
    assert made.steps == sum(one.past - one.first for one in chosen)


@pytest.mark.parametrize("steps", [(10, 20), [10, 20], range(10, 20), slice(10, 20)])
def test_a_stretch_is_said_as_python_says_it(walks, tmp_path, steps):
    cut = streams.select(walks / "a.zarr", tmp_path / "cut.zarr", steps=steps)
    np.testing.assert_array_equal(cut["images"][:], streams.open(walks / "a.zarr")["images"][10:20])
    assert streams.select(walks / "a.zarr", tmp_path / "rest.zarr", steps=(30, None)).steps == 10


def test_categories_are_known_by_their_names(tmp_path):
    world = gym.make_vec("MovingObjects-v0", num_envs=4, size=16, episode_length=4)
    walk = streams.write(world, tmp_path / "walk.zarr", frames=4 * 12)
    name = walk.categories[walk.episodes()[0].category]
    assert walk.episodes(name) == walk.episodes(walk.categories.index(name)) != []
    assert len(list(walk.of_category(name))) == len(walk.episodes(name))
    kept = streams.select(walk, tmp_path / "kept.zarr", categories=[name])
    assert {*np.unique(kept["category"][:])} == {walk.categories.index(name)}
    with pytest.raises(SettingError, match=f"category={name}s is unknown; did you mean {name}"):
        walk.episodes(f"{name}s")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": (30, 50)}, "steps=30:50 is outside .* which has 40 steps"),
        ({"steps": (1, 2, 3)}, r"steps=\(1, 2, 3\) is no stretch"),
        ({"steps": range(0, 20, 2)}, "is no stretch; give the first and the one past the last"),
        ({"categories": [77]}, "would hold nothing"),
        ({"categories": []}, r"categories=\[\] chooses nothing; leave it out for all"),
        ({"episodes": np.array([], int)}, r"episodes=\[\] chooses nothing"),
        ({"episodes": ["one"]}, r"episodes=\['one'\] does not fit; give a list, each a whole number"),
        ({"categories": ["cup"]}, "category=cup is unknown"),
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
