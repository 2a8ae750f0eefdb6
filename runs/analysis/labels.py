"""Where the names at the ends of lines go."""

from collections.abc import Sequence

import numpy as np


def spread_labels(places: Sequence[float], *, gap: float, low: float, high: float) -> np.ndarray:
    """The places (n,) nearest to these that are `gap` or more apart and within [low, high], where that has room.

    Nearest in the sum of squares: less `gap` times its rank, a place may not lie below the one before it, which makes
    it isotonic regression, by pooling adjacent violators (Barlow et al. 1972).
    """
    from scipy.optimize import isotonic_regression  # seconds to import: not until it is needed

    order = np.argsort(places, kind="stable")
    ranks = gap * np.arange(len(order))
    means = isotonic_regression(np.asarray(places, float)[order] - ranks).x
    spread = np.empty(len(order))
    spread[order] = means.clip(low, max(high - ranks[-1:].sum(), low)) + ranks
    return spread
