import numpy as np
import pytest

from runs.analysis.reading import load
from runs.page.sections.mistakes import mistakes
from runs.store.metrics import read, read_mistakes
from tests.helpers.runs import fake_run, furnished


@pytest.fixture
def run(tmp_path):
    return furnished(fake_run(tmp_path))


def test_the_matrix_holds_the_share_of_each_class_and_the_commonest_mistakes_come_first(run):
    counts = read_mistakes(run / "metrics.zarr")["linear"]["confusion"][-1]
    (task,) = mistakes(load(run))["tasks"]
    assert task["labels"] == ["mug", "chair", "car", "fish"]
    rows = np.array([row for _, row in task["matrix"]])
    assert rows == pytest.approx(counts / counts.sum(1, keepdims=True), abs=1e-3)
    of, answer, share = task["pairs"][0]
    names = task["labels"]
    assert counts[names.index(of), names.index(answer)] == np.where(np.eye(4), 0, counts).max()
    assert share == f"{100 * rows[names.index(of), names.index(answer)]:.0f}"
    assert all(image["is"] != image["answer"] for image in task["images"])


def test_mistakes_are_no_series_of_numbers(run):
    assert not [name for name in read(run / "metrics.zarr")[1] if name.startswith("mistakes")]


def test_a_run_without_them_has_no_such_section(tmp_path):
    assert mistakes(load(fake_run(tmp_path))) is None
