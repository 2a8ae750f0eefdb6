"""A source that is recorded on the way: what was committed lasts, whatever happened to the writer."""

import json
from contextlib import closing

import pytest
import torch

from envs.errors import SettingError
from streams.recording.recorder import as_plain, as_tensors
from tests.helpers.recordings import assert_is_the_walk, files, recorded, recorder


def test_a_resumed_source_has_its_recording_cut_back_to_where_it_goes_on(tmp_path):
    with closing(recorder(tmp_path / "walk.zarr")) as first:
        for _ in range(340):
            next(first)
        state = first.state_dict()
        for _ in range(400):
            next(first)
    assert json.loads((tmp_path / "walk.zarr" / "zarr.json").read_text())["attributes"]["committed"] == 672
    with closing(recorder(tmp_path / "walk.zarr")) as second:
        second.load_state_dict(state)
        for _ in range(10):
            next(second)
        second.state_dict()
    assert_is_the_walk(tmp_path / "walk.zarr", 350)


def test_a_state_survives_json_to_the_bit():
    state = {"a": torch.tensor([0.1, 1e-40, float("inf")]), "b": {"c": [1, 2**63]}, "d": torch.arange(3)}
    restored = as_tensors(json.loads(json.dumps(as_plain(state))))
    assert torch.equal(restored["a"], state["a"])
    assert restored["a"].dtype == state["a"].dtype
    assert torch.equal(restored["d"], state["d"])
    assert restored["b"] == state["b"]


def test_a_second_writer_is_refused(tmp_path):
    with closing(recorder(tmp_path / "walk.zarr")) as first, closing(recorder(tmp_path / "walk.zarr")) as second:
        next(first)
        with pytest.raises(SettingError, match="is being written by another process"):
            next(second)


def test_a_recording_that_is_there_is_no_place_for_a_new_run(tmp_path):
    recorded(tmp_path / "walk.zarr", 60)
    with (
        closing(recorder(tmp_path / "walk.zarr")) as second,
        pytest.raises(SettingError, match="holds 20 steps already"),
    ):
        next(second)


def test_a_recording_that_was_cut_back_to_nothing_is_begun_again(tmp_path):
    path = recorded(tmp_path / "walk.zarr", 60)
    with closing(recorder(path)) as writer:
        writer.load_state_dict({"step": -1})
        next(writer)  # and is killed
    assert json.loads((path / "zarr.json").read_text())["attributes"]["committed"] == 0
    assert files(recorded(path, 90)).keys() == files(recorded(tmp_path / "straight.zarr", 90)).keys()
    assert_is_the_walk(path, 30)
