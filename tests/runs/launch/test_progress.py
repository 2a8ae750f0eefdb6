"""What is printed while a run goes on."""

import io

from rich.console import Console

from runs.launch.progress import Progress
from runs.scores import ScoreKey


def test_a_plain_line_tells_a_score_once(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr("streams.process.progress.LINE_EVERY_S", 0.0)
    with Progress(Console(file=output, width=200), frames=0, total=100) as progress:
        progress.score({ScoreKey(): {"top1": 0.5}, ScoreKey(probe="knn"): {"top1": 0.4}}, learned=False)
        progress.advance(20, {"loss": 2.0})
        progress.advance(36, {"loss": 1.0})
        progress.score({ScoreKey(): {"top1": 0.75}, "samples": {}}, learned=True)
    first, between, *_, last = output.getvalue().splitlines()
    assert first == "the random encoder: linear 50.0 %"
    assert "loss 2" in between
    assert "linear" not in between
    assert "linear 75.0 %" in last
    assert last.startswith("36 of 100 frames")


def test_a_bar_on_a_terminal_keeps_the_last_score():
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    with Progress(console, frames=0, total=100) as progress:
        progress.score({ScoreKey(): {"top1": 0.5}}, learned=True)
        progress.advance(20, {"loss": 2.0})
        (task,) = progress._bar._bar.tasks
        assert "loss 2" in task.description
        assert "linear 50.0 %" in task.description
