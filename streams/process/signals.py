"""Ctrl-C and SIGTERM, which end a command after its present step."""

import signal
import sys


class Stop:
    """A context manager that is true once SIGINT or SIGTERM has come; a second one raises KeyboardInterrupt."""

    def __init__(self, after: str = "update"):
        self.signal, self.after = 0, after  # the signal's number once it has come

    def __bool__(self) -> bool:
        return bool(self.signal)

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number
        print(f"\nstopping after this {self.after}; once more to stop at once", file=sys.stderr)  # noqa: T201
