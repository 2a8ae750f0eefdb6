"""Standard output and error of a command: letters that they lack are replaced, and a reader may go away."""

import errno
import os
import sys
from typing import Any, TextIO

from streams.process.signals import Stop


class Output:
    """A stream of text whose reader may go, as `head` does: what is running then stops and saves, unseen.

    Where nothing is running that could stop, BrokenPipeError is raised.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes text; to nowhere once nobody reads it."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        """Hands on what was written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lost(self, error: OSError) -> None:
        if error.errno not in (errno.EPIPE, errno.EIO):  # of a pipe, and of a terminal that is closed
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if not Stop.reader_has_gone():
            raise BrokenPipeError from error


def keep_writing() -> None:
    """Makes this process's standard output and error such streams."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Output) or not hasattr(stream, "reconfigure"):
            continue
        stream.reconfigure(errors="backslashreplace" if name == "stderr" else "replace")
        setattr(sys, name, Output(stream))
