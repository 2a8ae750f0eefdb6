"""Errors of a command in one line, and memory settings of its process."""

import ctypes
import sys
from collections.abc import Callable, Mapping
from textwrap import shorten
from types import MappingProxyType
from typing import Any

from envs.command.startup_errors import of_memory
from envs.command.text import plain_warnings
from envs.errors import SettingError, in_words_of
from streams.process.output import keep_writing
from streams.process.terminal import one_line

CROWDED = "ask for less at once"
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def guarded(
    job: Callable,
    *arguments,
    place: str,
    stopped: str,
    crowded: str = CROWDED,
    leave: bool = True,
    words: Mapping[str, str] = MappingProxyType({}),
    **named,
) -> Any:
    """Returns job(*arguments, **named); errors of the user or the disk become one line and exit status 2, Ctrl-C 130.

    Args:
        place: the setting that says where things are written.
        stopped: the end of the message after a second Ctrl-C, where the KeyboardInterrupt has none of its own.
        crowded: the advice where there is too little memory.
        words: what messages call things, as regular expressions, and what the command line calls them.
        leave: whether the process ends with that status, or it is returned.
    """
    keep_memory()
    keep_writing()
    plain_warnings()
    status = 2
    try:
        with in_words_of(words):
            return job(*arguments, **named)
    except SettingError as error:
        text = str(error)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.exit(1)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not of_memory(error):
            raise
        text = f"not enough memory ({shorten(str(error), 100)}); {crowded}"
    except OSError as error:
        where, what = error.filename or place, error.strerror or error
        remote = "://" in str(where)
        way_out = "see that it can be reached" if remote else f"make room there, or choose another {place}"
        text = f"{where}: {what}; {way_out}"
    except KeyboardInterrupt as stop:
        text, status = f"stopped at once; {str(stop) or stopped}", 130
    print(one_line(text), file=sys.stderr)  # noqa: T201
    if leave:
        sys.exit(status)
    return status


def keep_memory() -> None:
    """Keeps freed memory in this process, where its C library is glibc.

    A layer's activities are tens of megabytes, which glibc would hand back to the system at every update, and have it
    fill with zeros for the next: a sixth of an update's time with backpropagation, a fifth with target propagation.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
