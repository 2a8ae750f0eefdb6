"""How sure a mean over few seeds is: bootstrap intervals (Efron and Tibshirani 1993, chapter 13: percentiles)."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    from scipy.stats import DegenerateDataWarning, bootstrap  # a second to import: not until it is needed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # where a value is nan, its bounds are nan
        result = bootstrap(
            samples, statistic, n_resamples=draws, batch=BATCH, vectorized=True, confidence_level=LEVEL,
            method="percentile", rng=np.random.default_rng(0),
        )  # fmt: skip
    return result.confidence_interval.low, result.confidence_interval.high
