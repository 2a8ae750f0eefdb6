"""The first layer's weights, as pictures."""

from typing import Any

import numpy as np
from torch import Tensor

from runs.analysis.reading import LoadedRun
from runs.page.section import section
from runs.page.tiles import data_uri, mosaic
from runs.store.checkpoint import load_newest
from runs.store.folder import RunFolder

COLUMNS = 16


@section(90, each_run=True)
def filters(run: LoadedRun) -> dict[str, Any] | None:
    """Those of the newest sound checkpoint, where there is one and the layer sees colour."""
    checkpoints = RunFolder(run.path).checkpoints
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
    grid = pixels.reshape(-1, COLUMNS, *pixels.shape[1:])  # grey is a weight of zero
    return {"image": data_uri(mosaic(grid, scale=8)), "frames": f"{state['frames']:,}"}
