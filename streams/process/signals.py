"""Ctrl-C and polite kills, which end a command after its present step."""

import signal
import sys


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
