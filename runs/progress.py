"""What a person sees while it runs: a bar on a terminal, a line now and then anywhere else."""

from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINE_EVERY_S = 10.0  # seconds between two lines where there is no terminal


class Progress:
    """Frames seen, frames a second, the loss and the last scores; a context manager."""

    def __init__(self, console: Console, *, frames: int, total: int):
        self.console, self.total = console, total
        self._began, self._last_line = (frames, perf_counter()), -LINE_EVERY_S
        self._loss, self._scores, self._done = "", "", frames
        self._bar = None
        if console.is_terminal:
            columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._bar = Bar(*columns, console=console, transient=True)
            self._task = self._bar.add_task("starting", total=total, completed=frames)

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def advance(self, frames: int, means: dict[str, float]) -> None:
        """So many frames have been seen; `means` holds the loss, where anything was learned."""
        self._done, self._loss = frames, f"loss {means['loss']:.3g}" if "loss" in means else self._loss
        self._show()

    def score(self, scores: dict[str, dict[str, float]]) -> None:
        """The encoder was scored: {group: {top1, ...}}; of many scores, those of the linear probe are shown."""
        shown = {name: score for name, score in scores.items() if name.startswith(("eval/linear", "eval/transfer/"))}
        found = {name.rpartition("/")[2]: score["top1"] for name, score in shown.items()}
        self._scores = "  ".join(f"{name} {100 * top1:.1f} %" for name, top1 in found.items())
        self._show(at_once=True)

    def _show(self, *, at_once: bool = False) -> None:
        seen, now = self._began[0], perf_counter()
        speed = f"{(self._done - seen) / max(now - self._began[1], 1e-9):,.0f} frames/s" if self._done > seen else ""
        parts = (f"{self._done:,} of {self.total:,} frames", speed, self._loss, self._scores)
        text = "  ".join(part for part in parts if part)
        if self._bar:
            self._bar.update(self._task, completed=self._done, description=text)
        elif at_once or now - self._last_line >= LINE_EVERY_S:
            self.say(text)
            self._last_line = now
