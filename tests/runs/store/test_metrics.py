import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr

from envs.errors import SettingError
from runs.scores import ScoreKey
from runs.store.metrics import Metrics, read, read_samples


def stored(tmp_path, rows=5):
    metrics = Metrics.create(tmp_path / "metrics.zarr", {"run": "one", "seed": 3})
    for row in range(rows):
        metrics.add("train", 10 * row, {"loss": 1.0 / (row + 1)} | ({"late": 7.0} if row >= 3 else {}))
        if row % 2 == 0:
            metrics.add("eval/transfer/digits", 10 * row, {"top1": 0.1 * row})
        metrics.commit(frames=10 * row, updates=row)
    return metrics


def test_what_was_committed_is_read_back(tmp_path):
    stored(tmp_path)
    facts, series = read(tmp_path / "metrics.zarr")
    assert (facts["run"], facts["seed"], facts["frames"], facts["updates"]) == ("one", 3, 40, 4)
    assert series["train"]["frames"].tolist() == [0, 10, 20, 30, 40]
    assert np.allclose(series["train"]["loss"], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert np.array_equal(series["train"]["late"], [np.nan] * 3 + [7, 7], equal_nan=True)
    assert series["eval/transfer/digits"]["frames"].tolist() == [0, 20, 40]


def test_plain_zarr_reads_it_with_names_for_its_dimensions_and_units(tmp_path):
    stored(tmp_path)
    loss = zarr.open_group(tmp_path / "metrics.zarr", mode="r")["train/loss"]
    assert loss.metadata.dimension_names == ("frames",)
    top1 = zarr.open_group(tmp_path / "metrics.zarr", mode="r")["eval/transfer/digits/top1"]
    assert "classified" in top1.attrs["units"]


def test_what_an_old_run_calls_chance_is_the_majority_class(tmp_path):
    """Where both are kept, each is what its name says."""
    metrics = Metrics.create(tmp_path / "metrics.zarr", {})
    old = ScoreKey("digits", encoder="chance")
    metrics.add(old, 0, {"top1": 0.3})
    metrics.commit()
    assert list(read(tmp_path / "metrics.zarr")[1]) == ["baseline/majority_class/transfer/digits"]
    assert list(read(tmp_path / "metrics.zarr", only=["baseline/majority_class/*"])[1])
    metrics.add(replace(old, encoder="majority_class"), 0, {"top1": 0.4})
    metrics.commit()
    series = read(tmp_path / "metrics.zarr")[1]
    assert series["baseline/majority_class/transfer/digits"]["top1"] == [0.4]
    assert series["baseline/chance/transfer/digits"]["top1"] == [0.3]


def sampled(tmp_path, rows=3):
    metrics = stored(tmp_path, rows=rows)
    metrics.show_samples({"images": np.full((2, 4, 4, 3), 7, np.uint8), "labels": np.array([1, 0])})
    for row in range(rows):
        metrics.add("samples", 10 * row, {"embeddings": np.full((2, 5), row, np.float16)})
    metrics.commit()
    return metrics


def test_samples_are_kept_beside_the_numbers_and_not_among_them(tmp_path):
    sampled(tmp_path)
    kept = read_samples(tmp_path / "metrics.zarr")
    assert kept["frames"].tolist() == [0, 10, 20]
    assert kept["embeddings"].dtype == np.float16
    assert np.array_equal(kept["embeddings"][:, 1, 4], [0, 1, 2])
    assert (kept["images"] == 7).all()
    assert kept["labels"].tolist() == [1, 0]
    assert "samples" not in read(tmp_path / "metrics.zarr")[1]
    assert read_samples(stored(tmp_path / "other").root.store.root) == {}


def test_samples_are_cut_back_with_the_rest(tmp_path):
    sampled(tmp_path)
    metrics = Metrics.open(tmp_path / "metrics.zarr", cut_to=10)
    assert read_samples(tmp_path / "metrics.zarr")["embeddings"].shape == (2, 2, 5)
    metrics.add("samples", 15, {"embeddings": np.full((2, 5), 9, np.float16)})
    metrics.commit()
    kept = read_samples(tmp_path / "metrics.zarr")
    assert kept["frames"].tolist() == [0, 10, 15]
    assert kept["embeddings"][:, 0, 0].tolist() == [0, 1, 9]


def test_what_a_block_reports_lies_beside_its_frames(tmp_path):
    metrics = stored(tmp_path)
    metrics.add("train", 50, {"loss": 3.0, "block1/loss": 1.0, "block2/loss": 2.0})
    metrics.commit()
    train = read(tmp_path / "metrics.zarr")[1]["train"]
    assert train["block2_loss"][-1] == 2.0
    assert np.isnan(train["block2_loss"][:-1]).all()
    xarray = pytest.importorskip("xarray")
    tree = xarray.open_datatree(tmp_path / "metrics.zarr", engine="zarr", consolidated=False)
    assert tree["train"]["block1_loss"].dims == ("frames",)
    assert float(tree["train"]["block1_loss"].sel(frames=50)) == 1.0


def test_no_value_hides_the_moments(tmp_path):
    metrics = Metrics.create(tmp_path / "metrics.zarr", {})
    metrics.add("memory", 10, {"frames": 4096, "held": 4096})
    metrics.commit(frames=10)
    series = read(tmp_path / "metrics.zarr")[1]["memory"]
    assert {name: values.tolist() for name, values in series.items()} == {"frames": [10], "held": [4096]}


def test_rows_that_wait_are_not_seen(tmp_path):
    metrics = stored(tmp_path)
    metrics.add("train", 50, {"loss": 0.0})
    assert len(read(tmp_path / "metrics.zarr")[1]["train"]["frames"]) == 5


@pytest.mark.parametrize("stage", ["create_array", "resize", "__setitem__", "update_attributes"])
@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_stop_at_any_write_leaves_what_was_committed(tmp_path, monkeypatch, stage, calls):
    metrics, calls_made = stored(tmp_path), []
    before = read(tmp_path / "metrics.zarr")
    owner = zarr.Group if stage in ("create_array", "update_attributes") else zarr.Array
    whole = getattr(owner, stage)

    def stops(*arguments, **named):
        calls_made.append(1)
        if len(calls_made) == calls:
            raise InterruptedError
        return whole(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, stage, stops)
        metrics.add("train", 50, {"loss": 0.5, "new": 1.0})
        metrics.add("fresh", 50, {"x": 1.0})
        try:
            metrics.commit(frames=50, updates=5)
        except InterruptedError:
            assert_same(before, read(tmp_path / "metrics.zarr"))
            metrics = Metrics.open(tmp_path / "metrics.zarr", cut_to=40)
            assert_same(before, read(tmp_path / "metrics.zarr"))
            metrics.add("train", 50, {"loss": 0.25})
            metrics.commit(frames=50)
            assert read(tmp_path / "metrics.zarr")[1]["train"]["loss"][-1] == 0.25


def assert_same(before, after):
    assert before[0] == after[0]
    for group, arrays in before[1].items():
        for name, values in arrays.items():
            assert np.array_equal(values, after[1][group][name], equal_nan=True)


def test_resuming_cuts_back_to_the_checkpoint_and_goes_on_as_if_nothing_had_been(tmp_path):
    stored(tmp_path)
    metrics = Metrics.open(tmp_path / "metrics.zarr", cut_to=20)
    assert read(tmp_path / "metrics.zarr")[1]["train"]["frames"].tolist() == [0, 10, 20]
    for row in (3, 4):
        metrics.add("train", 10 * row, {"loss": 1.0 / (row + 1), "late": 7.0})
    metrics.add("eval/transfer/digits", 40, {"top1": 0.4})
    metrics.commit(frames=40, updates=4)
    (tmp_path / "straight").mkdir()
    stored(tmp_path / "straight")
    assert_same(read(tmp_path / "straight" / "metrics.zarr"), read(tmp_path / "metrics.zarr"))


def test_what_is_no_run_is_told_in_one_line(tmp_path):
    with pytest.raises(SettingError, match="is no run"):
        read(tmp_path / "metrics.zarr")
    (tmp_path / "metrics.zarr").mkdir()
    with pytest.raises(SettingError, match="is no run"):
        read(tmp_path / "metrics.zarr")
    zarr.open_group(tmp_path / "other", mode="w").update_attributes({"format": "contiguity-run/2"})
    with pytest.raises(SettingError, match="contiguity-run/2"):
        read(tmp_path / "other")


@pytest.mark.parametrize("hurt", ["half a chunk", "a series gone", "no commit mark"])
def test_a_damaged_store_is_told_in_one_line(tmp_path, hurt):
    stored(tmp_path)
    store = tmp_path / "metrics.zarr"
    if hurt == "half a chunk":
        chunk = store / "train" / "loss" / "c" / "0"
        chunk.write_bytes(chunk.read_bytes()[:9])
    elif hurt == "a series gone":
        shutil.rmtree(store / "train")
    else:
        facts = json.loads((store / "zarr.json").read_text())
        del facts["attributes"]["committed"]
        (store / "zarr.json").write_text(json.dumps(facts))
    with pytest.raises(SettingError, match="damaged"):
        read(store)


def test_a_notebook_opens_it_with_xarray_and_sees_what_was_committed(tmp_path):
    xarray = pytest.importorskip("xarray")
    metrics = Metrics.create(tmp_path / "metrics.zarr", {"run": "one"})
    metrics.show_samples({"images": np.zeros((3, 4, 4, 3), np.uint8), "labels": np.arange(3)})
    for frames in (0, 64):
        metrics.add("eval/linear", frames, {"top1": frames / 100})
        metrics.add("samples", frames, {"embeddings": np.full((3, 5), frames, np.float16)})
    metrics.commit()
    metrics.add("eval/linear", 128, {"top1": 1.0})
    metrics.add("late", 128, {"top1": 1.0})
    for group, rows in metrics._waiting.items():  # a kill before the mark
        metrics._append(group, 2 if group == "eval/linear" else 0, rows, metrics._checksums.get(group, {}))
    Metrics.open(tmp_path / "metrics.zarr", cut_to=100)
    scores = xarray.open_zarr(tmp_path / "metrics.zarr", group="eval/linear", consolidated=False)
    assert scores.top1.dims == ("frames",)
    assert scores.frames.values.tolist() == [0, 64]
    assert float(scores.top1.sel(frames=64)) == 0.64
    assert scores.top1.attrs["units"] == "share of test images classified correctly"
    samples = xarray.open_zarr(tmp_path / "metrics.zarr", group="samples", consolidated=False)
    assert samples.embeddings.dims == ("frames", "sample", "feature")
    assert samples.images.dims == ("sample", "y", "x", "channel")
    assert xarray.open_zarr(tmp_path / "metrics.zarr", group="late", consolidated=False).sizes["frames"] == 0
