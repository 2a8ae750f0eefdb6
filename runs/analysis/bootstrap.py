"""How sure a mean over few seeds is: bootstrap intervals (Efron and Tibshirani 1993, chapter 13: percentiles)."""

import numpy as np

DRAWS = 10_000
LEVEL = 0.95


def interval(values: np.ndarray, *, draws: int = DRAWS, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (...) of the mean of values (n, ...) over its first axis; nan where n is 1.

    Of paired differences, this is the paired bootstrap. It repeats itself: the draws are always the same. Of three
    seeds it is little more than their range, which is why every seed is shown beside it.
    """
    values = np.asarray(values, float)
    count = len(values)
    if count < 2:
        return np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan)
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws) / count  # (draws, n)
    means = np.tensordot(weights, values, axes=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def difference(a: dict[int, float], b: dict[int, float]) -> tuple[float, float, float, bool]:
    """Mean of a less that of b, its lower and upper bound, and whether it is paired: by the seeds that both have.

    Where they share fewer than two seeds, each is drawn from by itself.
    """
    shared = sorted(a.keys() & b.keys())
    if len(shared) > 1:
        values = np.array([a[seed] - b[seed] for seed in shared])
        return float(values.mean()), *map(float, interval(values)), True
    left, right = np.array([*a.values()]), np.array([*b.values()])
    mean = float(left.mean() - right.mean())
    if min(len(left), len(right)) < 2:
        return mean, np.nan, np.nan, False
    random = np.random.default_rng(0)
    means = [values[random.integers(len(values), size=(DRAWS, len(values)))].mean(1) for values in (left, right)]
    low, high = np.quantile(means[0] - means[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return mean, float(low), float(high), False
