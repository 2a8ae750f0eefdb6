"""The preview of a run, as pixels in its metrics.zarr: first frames of a few worlds, and pairs as it learned from them.

`seen` holds `strip` (world, time, y, x, channel), `first` and `second` (pair, y, x, channel) uint8, and `gap` (pair,);
its attribute `stride` is the number of steps between two frames of the strip.
"""

from pathlib import Path
from typing import Any

import numpy as np

from runs.store.metrics import group_of, open_run

GROUP = "seen"
PAIRS = ("pair", "y", "x", "channel")
DIMENSIONS = {"strip": ("world", "time", "y", "x", "channel"), "first": PAIRS, "second": PAIRS, "gap": PAIRS[:1]}


def save_preview(store: Path, *, stride: int, **arrays: np.ndarray) -> None:
    """Puts a preview into a run's store, in place of one that was there."""
    group = open_run(store, mode="r+").require_group(GROUP)
    for name, values in arrays.items():
        group.create_array(name, data=values, overwrite=True, dimension_names=DIMENSIONS[name])
    group.update_attributes({"stride": stride, "units": "stride and gap in steps of the world"})


def load_preview(store: Path) -> dict[str, Any]:
    """The arrays of a run's preview, and `stride`; empty where the run has not come to its end.

    Raises SettingError: no such store, or one of another format.
    """
    root = open_run(store, mode="r")
    group = group_of(root, GROUP) if GROUP in root else root
    stride: Any = group.attrs.get("stride")
    return {} if stride is None else {name: np.asarray(array[:]) for name, array in group.arrays()} | {"stride": stride}
