"""What stands around a command: Ctrl-C, one line for an error, a bar on a terminal and plain lines elsewhere."""

import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable
from textwrap import shorten
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from envs.errors import SettingError

LINE_EVERY_S = 10.0  # seconds between two lines where there is no terminal
TOO_MUCH = re.compile("allocate memory|out of memory|[Ff]ailed to allocate|ALLOC_FAILED")  # as torch and Warp say it
CROWDED = "ask for less at once"
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


class Stop:
    """True once Ctrl-C (or a polite kill) has come; a second one is not waited for."""

    def __init__(self, after: str = "update"):
        self.came, self.after = 0, after

    def __bool__(self) -> bool:
        return bool(self.came)

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = number
        print(f"\nstopping after this {self.after}; once more to stop at once", file=sys.stderr)  # noqa: T201


def guarded(
    job: Callable, *arguments, place: str, stopped: str, crowded: str = CROWDED, leave: bool = True, **named
) -> Any:
    """Runs a job; what the user or the disk did is told in one line, with exit status 2.

    Args:
        place: the setting that says where things are written.
        stopped: what to say when the user would not wait.
        crowded: the way out, where there is too little memory.
        leave: whether the process ends with that status, or it is returned.
    """
    keep_memory()
    try:
        return job(*arguments, **named)
    except SettingError as error:
        text = str(error)
    except BrokenPipeError:  # whoever read what we say has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if not of_memory(error):
            raise
        text = f"not enough memory ({shorten(str(error), 100)}); {crowded}"
    except OSError as error:
        where, what = error.filename or place, error.strerror or error
        remote = "://" in str(where)
        way_out = "see that it can be reached" if remote else f"make room there, or choose another {place}"
        text = f"{where}: {what}; {way_out}"
    except KeyboardInterrupt:
        text = f"stopped at once; {stopped}"
    print(re.sub(r"\s+", " ", text), file=sys.stderr)  # noqa: T201
    if leave:
        sys.exit(2)
    return 2


def of_memory(error: Exception) -> bool:
    """Whether numpy, or torch or Warp on a CPU or a GPU, has asked for more than there is."""
    return isinstance(error, MemoryError) or bool(TOO_MUCH.search(str(error)))


def keep_memory() -> None:
    """Lets this process keep what memory it frees, where its C library is glibc.

    A layer's activities are tens of megabytes, which glibc would hand back to the system at every update, and have it
    fill with zeros for the next: a sixth of an update's time with backpropagation, a fifth with target propagation.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


class Bar:
    """How far something is, of `total` where that is known; a context manager."""

    def __init__(self, console: Console, *, done: int, total: int):
        self.console, self.total = console, total
        self._began, self._last_line = (done, perf_counter()), -LINE_EVERY_S
        self._bar = None
        if console.is_terminal:
            columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
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
        """Whether what is shown takes the place of what was shown before."""
        return self._bar is not None

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def show(self, done: int, *notes: str, at_once: bool = False) -> None:
        """So many frames are done; notes are put behind."""
        seen, now = self._began[0], perf_counter()
        speed = f"{(done - seen) / max(now - self._began[1], 1e-9):,.0f} frames/s" if done > seen else ""
        of = f" of {self.total:,}" if self.total else ""
        text = "  ".join(part for part in (f"{done:,}{of} frames", speed, *notes) if part)
        if self._bar:
            self._bar.update(self._task, completed=done, description=text)
        elif at_once or now - self._last_line >= LINE_EVERY_S:
            self.say(text)
            self._last_line = now
