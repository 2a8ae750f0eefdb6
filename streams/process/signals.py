"""The signals that end a command after its present step, so that it saves: of a user, a system or a cluster."""

import os
import signal
import sys
from contextlib import suppress
from time import monotonic

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)

ECHO_S = 2.0


class Stop:
    """A context manager that is true once one of SIGNALS has come, or the reader of our output has gone.

    A second SIGINT or SIGTERM raises KeyboardInterrupt. Under `torchrun`, which hands on what a terminal or a
    cluster sends to all processes anyway, one that comes within two seconds is the same.
    """

    _present: "Stop | None" = None  # the one that is entered

    def __init__(self, after: str = "update"):
        self.signal, self.after = 0, after  # the signal's number once it has come
        self._came = 0.0

    @classmethod
    def reader_has_gone(cls) -> bool:
        """Stops what is running, if anything is: whether it was."""
        if cls._present is not None:
            cls._present.signal = cls._present.signal or signal.SIGPIPE
        return cls._present is not None

    def __bool__(self) -> bool:
        return bool(self.signal)

    def agree(self) -> None:
        """Called after each update, where several processes have to stop after the same one."""

    def __enter__(self) -> "Stop":
        heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores one
        self._before = {number: signal.signal(number, self._receive) for number in heard}
        self._outer, Stop._present = Stop._present, self
        return self

    def __exit__(self, *_) -> None:
        Stop._present = self._outer
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _) -> None:
        if self.signal and number in (signal.SIGINT, signal.SIGTERM):
            if monotonic() - self._came >= (ECHO_S if "TORCHELASTIC_RUN_ID" in os.environ else 0):
                raise KeyboardInterrupt
            return
        self._came = monotonic()
        self.signal = self.signal or number
        with suppress(OSError):  # of a terminal that is gone
            print(f"\nstopping after this {self.after}; once more to stop at once", file=sys.stderr)  # noqa: T201
