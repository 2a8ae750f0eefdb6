"""Whatever reads runs has one line for what cannot be shown, and shows what was committed."""

import shutil

import pytest
import zarr

from runs.store.metrics import Metrics
from tests.helpers.runs import fake_run


def no_run(path):
    shutil.rmtree(path)
    path.mkdir()
    return "no run; give the folder of one"


def from_a_newer_version(path):
    zarr.open_group(path / "metrics.zarr", mode="r+").update_attributes({"format": "contiguity-run/9"})
    return "has format contiguity-run/9, and this version reads contiguity-run/1"


def without_numbers(path):
    shutil.rmtree(path / "metrics.zarr")
    return "was begun and has no numbers yet"


def killed_while_its_store_was_made(path):
    zarr.open_group(path / "metrics.zarr", mode="w", zarr_format=3)
    return "was begun and has no numbers yet"


def damaged(path):
    shutil.rmtree(path / "metrics.zarr" / "eval" / "linear" / "frames")
    return "eval/linear is damaged"


@pytest.mark.parametrize(
    "spoil", [no_run, from_a_newer_version, without_numbers, killed_while_its_store_was_made, damaged]
)
def test_what_cannot_be_shown_is_one_line(tmp_path, say, spoil):
    path = fake_run(tmp_path)
    line = spoil(path)
    status, out, text = say(path)
    assert status == 2
    assert not out
    assert str(path) in text
    assert line in text
    assert text.count("\n") == 1


def test_a_half_written_run_is_shown_up_to_its_last_commit(tmp_path, say):
    path = fake_run(tmp_path, frames=(0, 64))
    metrics = Metrics(zarr.open_group(path / "metrics.zarr", mode="r+"), {})
    metrics.add("eval/linear", 128, {"top1": 0.987})
    checksums = metrics._checksums["eval/linear"]
    metrics._append("eval/linear", 2, metrics._waiting["eval/linear"], checksums)  # a kill before the mark
    status, out, _ = say(path)
    shown = (path / "report.html").read_text() if (path / "report.html").exists() else out
    assert status == 0
    assert "40.0" in shown
    assert "98.7" not in shown
