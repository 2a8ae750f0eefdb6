"""The comparison as a user runs it, at a tiny size."""

import runpy
import sys
from pathlib import Path

import pytest

from runs.analysis.reading import find, load

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "online_vs_batch.py"
TINY = [
    "env=counting", "env.num_worlds=8", "env.size=16", "env.episode_length=12", "pairs.gap=2", "pairs=temporal,both",
    "network.name=tests.helpers.small_network.SPEC", "seed=0", "memory.capacity=16", "eval.train=20",
    "eval.validation=10", "eval.test=10", "device=cpu",
]  # fmt: skip


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    monkeypatch.setattr(sys, "argv", ["online_vs_batch"])
    return runpy.run_path(str(SCRIPT))


def test_one_recording_in_three_arrangements_with_equal_frames_and_updates(tmp_path, script, monkeypatch, capsys):
    kept = {}
    main = script["main"]
    monkeypatch.setitem(main.__globals__, "keep", lambda name, results: kept.setdefault(name, results))
    argv = ["online_vs_batch", "--frames", "96", "--memory", "fifo", f"--results={tmp_path}", *TINY]
    monkeypatch.setattr(sys, "argv", argv)
    main()
    rows = kept["online_vs_batch"]["tasks"]["linear"]["groups"]
    arrangements = ("in order", "in order with fifo", "shuffled")
    assert {row["group"] for row in rows} == {
        f"{pairs}, {how}" for pairs in ("temporal", "both") for how in arrangements
    }
    assert {row["seeds"][0]["updates"] for row in rows} == {10}
    runs = [load(path) for path in find([str(tmp_path / "online_vs_batch")])]
    assert {run.frames for run in runs} == {96}
    assert all(("memory" in run.series) == (run.settings["memory.name"] == "fifo") for run in runs)
    assert (tmp_path / "online_vs_batch.png").read_bytes().startswith(b"\x89PNG")
    assert kept["online_vs_batch"]["against"] == "temporal, in order"
    assert "less temporal," in capsys.readouterr().out  # the heading goes on in a second line


def test_a_mistake_is_told_before_the_first_run(tmp_path, script, monkeypatch, capsys):
    argv = ["online_vs_batch", "--frames", "96", f"--results={tmp_path}", *TINY, "pairs.gap=12"]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as left:
        script["main"]()
    assert left.value.code == 2
    assert "pairs.gap=12 is longer than an episode" in capsys.readouterr().err
    assert not (tmp_path / "online_vs_batch").exists()
