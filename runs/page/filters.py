"""The first layer's weights, as pictures."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from runs.store.checkpoint import load_newest

COLUMNS = 16


class Filters(NamedTuple):
    """What the first layer looks for."""

    images: np.ndarray  # (rows, columns, k, k, 3) uint8; grey is a weight of zero
    frames: int  # that had been seen


def first_filters(checkpoints: Path) -> Filters | None:
    """Those of the newest sound checkpoint; None where there is none, or no layer that sees colour."""
    state = load_newest(checkpoints)[0] if checkpoints.is_dir() else None
    weights = state["learner"]["network"].values() if state else ()
    first = next((of for of in weights if isinstance(of, Tensor) and of.ndim == 4 and of.shape[1] == 3), None)
    if first is None:
        return None
    w = first.float().permute(0, 2, 3, 1).cpu().numpy()  # (C, k, k, 3)
    w = w / np.abs(w).max((1, 2, 3), keepdims=True).clip(1e-12)
    images = np.full((-(-len(w) // COLUMNS) * COLUMNS, *w.shape[1:]), 0.0, np.float32)
    images[: len(w)] = w
    pixels = (127.5 + 127.5 * images).round().astype(np.uint8)
    return Filters(pixels.reshape(-1, COLUMNS, *pixels.shape[1:]), state["frames"])
