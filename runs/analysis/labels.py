"""Where the names at the ends of lines go."""

from collections.abc import Sequence

import numpy as np


def spread_labels(places: Sequence[float], *, gap: float, low: float, high: float) -> np.ndarray:
    """The places (n,) nearest to these that are `gap` or more apart and within [low, high], where that has room.

    Nearest in the sum of squares: less `gap` times its rank, a place may not lie below the one before it, which makes
    it isotonic regression, by pooling adjacent violators (Barlow et al. 1972).
    """
    order = np.argsort(places, kind="stable")
    ranks = gap * np.arange(len(order))
    pools: list[tuple[float, int]] = []  # mean and number of neighbours that moved together
    for place in np.asarray(places, float)[order] - ranks:
        pools.append((place, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools.pop(-2), pools.pop()
            pools.append(((n * a + m * b) / (n + m), n + m))
    means = np.concatenate([np.full(count, mean) for mean, count in pools]) if pools else np.empty(0)
    spread = np.empty(len(order))
    spread[order] = means.clip(low, max(high - ranks[-1:].sum(), low)) + ranks
    return spread
