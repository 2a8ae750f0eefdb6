"""What a person sees while a run goes on: frames, speed, the loss and the last scores."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from runs.scores import ScoreKey
from streams.process.progress import Bar


class Progress:
    """Frames seen, frames a second, the loss and the last scores; a context manager."""

    def __init__(self, console: Console, *, frames: int, total: int):
        self._bar = Bar(console, done=frames, total=total)
        self._loss, self._scores, self._done = "", "", frames

    def __enter__(self) -> "Progress":
        self._bar.__enter__()
        return self

    def __exit__(self, *_) -> None:
        self._bar.__exit__()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._bar.say(text)

    def advance(self, frames: int, means: dict[str, float]) -> None:
        """So many frames have been seen; `means` holds the loss, where anything was learned."""
        self._done, self._loss = frames, f"loss {means['loss']:.3g}" if "loss" in means else self._loss
        self._bar.show(frames, self._loss, self._scores if self._bar.lasts else "")  # a new line tells no old scores

    def note(self, text: str) -> None:
        """What goes on while no frame is seen."""
        self._bar.show(self._done, text)

    def score(self, scores: Mapping[ScoreKey | str, Mapping[str, Any]], *, learned: bool) -> None:
        """Shows the top-1 of the linear probe on every task, of the encoder as it is or before it `learned`."""
        shown = {key: score for key, score in scores.items() if isinstance(key, ScoreKey) and key == ScoreKey(key.task)}
        text = "  ".join(f"{key.task or key.probe} {100 * score['top1']:.1f} %" for key, score in shown.items())
        if not learned:
            self.say(f"the random encoder: {text}")
            return
        self._scores = text
        self._bar.show(self._done, self._loss, self._scores, at_once=True)
