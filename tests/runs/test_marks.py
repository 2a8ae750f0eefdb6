"""A score that says little of the features is marked in every table."""

import csv
import io

import pytest
from rich.console import Console

from runs.analysis.comparison import compare
from runs.analysis.reading import load, load_numbers
from runs.analysis.summary import summary_table
from runs.analysis.tables import as_csv, as_latex, text_tables
from runs.page.page import page
from runs.page.sections.tables import comparison, every_score
from runs.scores import MARK_NOTE
from runs.store.folder import RunFolder
from runs.store.metrics import Metrics
from tests.helpers.runs import FRAMES, fake_run


def probed(place, *, seed, marks):
    """A run whose linear probes said little (1) or not (0) at each evaluation, and that of pixels too."""
    path = fake_run(place, seed=seed)
    with RunFolder.open(path) as folder:
        metrics = Metrics.open(folder.metrics, cut_to=-1)
    phases = {f"eval/phases/phase{number}": number for number in range(2)}
    for now, mark in zip(FRAMES, marks, strict=True):
        metrics.add("eval/linear", now, {"top1": 0.065, "strength": 1e12 if mark else 1.0, "degenerate": mark})
        metrics.add("eval/few/1", now, {"top1": 0.05, "deviation": 0.0, "degenerate": 0.6 * mark})
        metrics.add("eval/blocks/block1", now, {"top1": 0.045, "degenerate": mark})
        for group, number in phases.items():
            metrics.add(group, now, {"top1": 0.3 + 0.1 * number, "degenerate": mark})
    metrics.add("baseline/pixels/linear", 0, {"top1": 0.065, "degenerate": 1.0})
    drift = {"phases": 2, "segment": 64, "recurring": True}
    metrics.commit(frames=FRAMES[-1], updates=8, drift=drift)
    return path


@pytest.fixture
def runs(tmp_path):
    marks = (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)
    return [load(probed(tmp_path, seed=seed, marks=each)) for seed, each in enumerate(marks)]


def shown(part):
    console = Console(width=160, file=io.StringIO())
    console.print(part)
    return console.file.getvalue()


def test_one_run_is_shown_with_marks_and_what_they_mean(runs):
    text = shown(summary_table(load_numbers(runs[0].path)))
    (linear,) = (line.split() for line in text.splitlines() if "test instances" in line)
    assert linear[2:6] == ["6.5*", "+0.0", "6.5*", "6.5*"]  # the learner, its gain, the random encoder, pixels
    assert "5.0*" in text
    assert "4.5* +0.0" in text
    assert [line.split()[-2:] for line in text.splitlines() if "after segment" in line] == [["30.0*", "40.0*"]] * 2
    (random,) = (line.split() for line in text.splitlines() if line.split()[:2] == ["random", "encoder"])
    assert random[2:] == ["30.0*", "40.0*"]
    assert MARK_NOTE in text


def test_what_is_within_the_grid_bears_no_mark(runs, tmp_path):
    text = shown(summary_table(load_numbers(runs[1].path)))
    (linear,) = (line.split() for line in text.splitlines() if "test instances" in line)
    assert linear[2:6] == ["6.5", "+0.0", "6.5*", "6.5*"]
    plain = shown(summary_table(load_numbers(fake_run(tmp_path / "plain"))))  # of a version that kept no such number
    assert "*" not in plain


def test_runs_beside_one_another_are_marked(runs):
    compared = compare(runs, tasks=("linear",))
    (table,) = text_tables(compared)
    assert table.rows[0][-1] == "6.5* 6.5"
    assert table.rows[0][1].endswith("*")
    assert "raw pixels 6.5*" in table.baselines
    assert [row["degenerate"] for row in csv.DictReader(io.StringIO(as_csv(compared)))] == ["True", "False"]
    assert "]* & " in as_latex(compared) or "]* \\\\" in as_latex(compared)
    assert MARK_NOTE in comparison({"bp": runs})["text"]


def test_the_report_marks_them(runs):
    section = every_score(runs[0])
    (row,) = (row for row in section["rows"] if row[0] == "linear probe")
    assert row[2:5] == ["6.5*", "6.5*", "6.5*"]
    assert section["note"] == MARK_NOTE
    assert "6.5*" in page(runs[:1], made_by="").text
