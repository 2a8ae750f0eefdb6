"""A recording is what was seen: to the bit, whoever reads it, and after whatever happened to who wrote it."""

import shlex

import numpy as np
import pytest
import torch
import zarr

from envs.errors import SettingError
from runs.config import composing
from streams.record import record
from tests.helpers.recordings import SMALL, assert_is_the_walk, changed, files, live, recorded, refused


@pytest.mark.parametrize("steps", [1, 335, 336, 337, 700])
def test_what_is_replayed_is_what_was_seen(tmp_path, steps):
    assert_is_the_walk(recorded(tmp_path / "walk.zarr", steps * 3), steps)


def test_plain_zarr_opens_it(tmp_path):
    root = zarr.open_group(recorded(tmp_path / "walk.zarr", 1200), mode="r")
    assert root.attrs["format"] == "contiguity-stream/2"
    assert root.attrs["committed"] == 400
    assert root.attrs["env"]["id"] == "Counting-v0"
    assert root["images"].metadata.dimension_names == ("time", "world", "y", "x", "channel")
    frames = [frames for _, frames in zip(range(400), live(), strict=False)]
    assert np.array_equal(root["images"][:], torch.stack([one.images for one in frames]).numpy())
    assert np.array_equal(root["factors/age"][:], torch.stack([one.factors["age"] for one in frames]).numpy())


def test_the_same_command_again_goes_on_and_ends_with_the_same_files(tmp_path, capsys):
    straight, parts = tmp_path / "straight.zarr", tmp_path / "parts.zarr"
    recorded(straight, 2400)
    for frames in (90, 1000, 1010, 1010, 2400):
        recorded(parts, frames)
    assert files(straight) == files(parts)
    assert f"stream.path={parts}" in capsys.readouterr().out


def test_what_lies_past_the_mark_is_cut_off_by_who_goes_on(tmp_path):
    path = recorded(tmp_path / "walk.zarr", 1200)
    mark = (path / "zarr.json").read_bytes()
    recorded(path, 2400)
    (path / "zarr.json").write_bytes(mark)  # as if it had been killed just before the last mark
    assert_is_the_walk(path, 400)
    assert files(recorded(path, 1203)) == files(recorded(tmp_path / "straight.zarr", 1203))


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["env.size=5"], "size: 4 there, 5 asked for"),
        (["seed=1"], "seed: 0 there, 1 asked for"),
        (["stream.gaze=pursuti"], "did you mean pursuit?"),
        (["record.frames=0"], "record.frames=0"),
        (["record.path="], "record.path is not given"),
        (["record.pth=x"], "did you mean record.path?"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(tmp_path, monkeypatch, capsys, overrides, line):
    path = recorded(tmp_path / "walk.zarr", 60)
    before = files(path)
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["record", *SMALL, f"record.path={path}", *overrides])
    assert line in refused(capsys)
    assert files(path) == before


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(SettingError, match="is a folder of other things .thesis.tex."):
        recorded(tmp_path, 60)
    with pytest.raises(SettingError, match="record.path=.*thesis.tex is a file"):
        recorded(tmp_path / "thesis.tex", 60)
    assert (tmp_path / "thesis.tex").read_text() == "all of it"


@pytest.mark.parametrize("state", [{"a": 1}, {"step": 3, "world": {"tensor": [1], "type": "load"}}])
def test_a_state_that_was_altered_is_one_line(tmp_path, state):
    path = recorded(tmp_path / "walk.zarr", 60)
    changed(path, "", lambda document: document["attributes"].update(state=state))
    with pytest.raises(SettingError, match="walk.zarr says what its world cannot go on from .* it was altered"):
        record([*SMALL, f"record.path={path}", "record.frames=120"])


ALTERED = {
    "another step": lambda state: state.update(step=7),
    "no world": lambda state: state.pop("world"),
    "fewer shifts": lambda state: state["shift"]["tensor"].pop(),
    "shifts of whole numbers": lambda state: state["shift"].update(type="int64", tensor=[[0, 0]] * 3),
    "a gaze of one": lambda state: state["world"]["gaze"].update(tensor=0.5),
    "a seed for all": lambda state: state["world"].update(seeds=5),
    "more ages": lambda state: state["world"]["age"].append(2),
    "an age between": lambda state: state["world"].update(age=[0.5, 1, 2]),
    "a seed below zero": lambda state: state["world"].update(seeds=[-1, 2, 3]),
}


@pytest.mark.parametrize("altered", ALTERED)
def test_a_state_of_other_shapes_or_types_is_one_line(tmp_path, altered):
    path = recorded(tmp_path / "walk.zarr", 60)
    changed(path, "", lambda document: ALTERED[altered](document["attributes"]["state"]))
    with pytest.raises(SettingError, match="says what its world cannot go on from .* it was altered"):
        record([*SMALL, f"record.path={path}", "record.frames=120"])


def test_the_command_that_is_printed_can_be_pasted_whatever_the_path(tmp_path, capsys):
    path = tmp_path / "a walk, [/x] it's.zarr"
    assert record([*SMALL, f"record.path={path}", "record.frames=60"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    overrides = shlex.split(line.partition("learners.online ")[2])
    assert composing.read(overrides).stream.path == str(path)
