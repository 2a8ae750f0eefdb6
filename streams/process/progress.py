"""Progress of a command: a bar on a terminal, plain lines elsewhere."""

from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from streams.process.terminal import visible

LINE_EVERY_S = 10.0  # seconds between two lines where there is no terminal


class Bar:
    """A context manager that shows how many of `total` frames are done, or how many at all where it is 0."""

    def __init__(self, console: Console, *, done: int, total: int):
        self.console, self.total = console, total
        self._start, self._last_line = (done, perf_counter()), -LINE_EVERY_S
        self._bar = None
        if console.is_terminal:
            columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("starting", total=total or None, completed=done)

    def __enter__(self) -> "Bar":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def lasts(self) -> bool:
        """Whether the bar is redrawn in place, as on a terminal."""
        return self._bar is not None

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        self.console.print(visible(text), highlight=False, markup=False, emoji=False, soft_wrap=True)

    def show(self, done: int, *notes: str, at_once: bool = False) -> None:
        """Shows that `done` frames are done, with notes behind; a line at most every LINE_EVERY_S, unless `at_once`."""
        began, now = self._start[0], perf_counter()
        speed = f"{(done - began) / max(now - self._start[1], 1e-9):,.0f} frames/s" if done > began else ""
        of = f" of {self.total:,}" if self.total else ""
        text = "  ".join(part for part in (f"{done:,}{of} frames", speed, *notes) if part)
        if self._bar:
            self._bar.update(self._task, completed=done, description=visible(text))
        elif at_once or now - self._last_line >= LINE_EVERY_S:
            self.say(text)
            self._last_line = now
