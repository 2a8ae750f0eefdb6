"""What a run saw first, kept as pixels in its metrics.zarr: a few worlds over time, and pairs as it learned from them.

`seen` holds `strip` (world, time, y, x, channel), `first` and `second` (pair, y, x, channel) uint8, and `gap` (pair,);
its attribute `stride` is the number of steps between two frames of the strip.
"""

from pathlib import Path

import numpy as np
import zarr

from runs.store.metrics import open_run

SEEN = "seen"
DIMENSIONS = {
    "strip": ("world", "time", "y", "x", "channel"),
    "first": ("pair", "y", "x", "channel"),
    "second": ("pair", "y", "x", "channel"),
    "gap": ("pair",),
}


def keep_seen(store: Path, *, stride: int, **arrays: np.ndarray) -> None:
    """Puts what was seen into a run's store, in place of what was there."""
    group = open_run(store, mode="r+").require_group(SEEN)
    for name, values in arrays.items():
        group.create_array(name, data=values, overwrite=True, dimension_names=DIMENSIONS[name])
    group.update_attributes({"stride": stride, "units": "stride and gap in steps of the world"})


def read_seen(store: Path) -> dict[str, np.ndarray | int]:
    """What `keep_seen` kept, and `stride`; empty where a run has not come to its end.

    Raises:
        SettingError: no such store, or one of another format.
    """
    root = open_run(store, mode="r")
    if SEEN not in root or "stride" not in root[SEEN].attrs:
        return {}
    group = root[SEEN]
    found = {name: array[:] for name, array in group.arrays() if isinstance(array, zarr.Array)}
    return found | {"stride": int(group.attrs["stride"])}
