"""Clocks of the loop: when something is due, means since it last was, and where the time goes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from streams.process.ranks import OWN_ROWS


def due(every: int, before: int, now: int) -> bool:
    """Whether a multiple of `every` lies in (before, now]; never, where `every` is 0. A function of nothing else."""
    return every > 0 and now // every > before // every


class RunningMean:
    """Means of named scalars since they were last taken, kept on the device: adding to them waits for nothing."""

    def __init__(self):
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._unchecked: list[dict[str, Tensor]] = []  # of each addition since `first_bad` was last asked

    def add(self, values: dict[str, Tensor]) -> None:
        """Adds detached 0-d tensors; not every name need come every time."""
        for name, value in values.items():
            if name.endswith(OWN_ROWS):
                continue
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1
        self._unchecked.append(values)

    def first_bad(self) -> tuple[str, float, int] | None:
        """The first loss or error since last asked that is NaN or infinite; this waits for the device.

        Its name, its value, and how many additions came after it. Of several at once, a block's comes before a whole's.
        """
        unchecked, self._unchecked = self._unchecked, []
        losses = [
            (name, value, ago)
            for ago, values in zip(range(len(unchecked) - 1, -1, -1), unchecked, strict=True)
            for name, value in sorted(
                values.items(), key=lambda item: (not item[0].endswith(OWN_ROWS), "/" not in item[0])
            )
            if name.endswith(("loss", "error", OWN_ROWS))
        ]
        numbers = torch.stack([value for _, value, _ in losses]).tolist() if losses else []
        rows = zip(losses, numbers, strict=True)
        return next(((name, number, ago) for (name, _, ago), number in rows if not math.isfinite(number)), None)

    def take(self) -> dict[str, float]:
        """The means, as numbers (this waits for the device), and begins anew."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def state_dict(self) -> dict[str, Any]:
        """Sums and counts so far."""
        return {"sums": self._sums, "counts": self._counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from another's `state_dict`."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


def mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number over the rows that have it."""
    names = {name: None for row in rows for name in row}
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: each[0] if len(each) == 1 else sum(each) / len(each) for name, each in values.items()}


class Stopwatch:
    """Seconds spent in named parts of the loop. On a GPU work is only queued, and who waits is charged."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Counts the time within a `with` block to this part."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + perf_counter() - start
