"""How sure a mean over few seeds is: bootstrap intervals (Efron and Tibshirani 1993, chapter 13: percentiles)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

DRAWS = 10_000
LEVEL = 0.95
BATCH = 1000  # draws at once, so that long curves need little memory


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and its interval, whose bounds are nan for one seed."""

    mean: float
    low: float
    high: float
    values: tuple[float, ...] = ()  # of the seeds; of an unpaired difference there are none
    paired: bool | None = None  # of a difference: whether it is one of seeds that both groups have

    @classmethod
    def of(cls, values: Sequence[float], *, paired: bool | None = None) -> "Estimate":
        """The mean of one value a seed."""
        low, high = interval(np.asarray(values))
        return cls(float(np.mean(values)), float(low), float(high), tuple(map(float, values)), paired)


def interval(values: np.ndarray, *, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (...) of the mean of values (n, ...) over its first axis; nan where n is 1.

    Of paired differences, this is the paired bootstrap. It repeats itself: the draws are always the same. Of three
    seeds it is little more than their range, which is why every seed is shown beside it.
    """
    return _bounds(np.asarray(values, float), statistic=np.mean, draws=draws)


def difference(a: dict[int, float], b: dict[int, float]) -> Estimate:
    """The mean of a less b, {seed: score}, paired by shared seeds; under two shared, each is drawn from by itself."""
    shared = sorted(a.keys() & b.keys())
    if len(shared) > 1:
        return Estimate.of([a[seed] - b[seed] for seed in shared], paired=True)
    left, right = np.array([*a.values()]), np.array([*b.values()])
    low, high = _bounds(left, right, statistic=_less)
    return Estimate(float(_less(left, right)), float(low), float(high), paired=False)


def _less(left: np.ndarray, right: np.ndarray, axis: int = 0) -> np.ndarray:
    return np.mean(left, axis=axis) - np.mean(right, axis=axis)


def _bounds(*samples: np.ndarray, statistic: Callable, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    if min(map(len, samples)) < 2:
        return np.full(samples[0].shape[1:], np.nan), np.full(samples[0].shape[1:], np.nan)
    last = [np.ascontiguousarray(np.moveaxis(sample, 0, -1)) for sample in samples]
    drawn = [
        statistic(*(sample[..., rows] for sample, rows in zip(last, batch, strict=True)), axis=-1)
        for batch in _draws(draws, *map(len, samples))
    ]
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(np.concatenate(drawn, -1), [tail, 100 - tail], axis=-1)
    return low, high


@lru_cache(maxsize=8)  # of groups of as many seeds, of which there may be hundreds
def _draws(draws: int, *sizes: int) -> list[list[np.ndarray]]:
    """In batches, rows (BATCH, size) of each sample, drawn with replacement: those that scipy's `bootstrap` draws."""
    rng = np.random.default_rng(0)
    batches = [min(BATCH, draws - start) for start in range(0, draws, BATCH)]
    return [[rng.integers(0, size, (batch, size)) for size in sizes] for batch in batches]
