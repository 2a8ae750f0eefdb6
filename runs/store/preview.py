"""The preview of a run, as pixels in its metrics.zarr: first frames of a few worlds, and pairs as it learned from them.

`seen` holds `strip` (world, time, y, x, channel), `first` and `second` (pair, y, x, channel) uint8, and `gap` (pair,);
its attribute `stride` is the number of steps between two frames of the strip.
"""

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from envs.errors import SettingError
from runs.store.arrays import DOCUMENT
from runs.store.files import read_json
from runs.store.metrics import Metrics
from runs.store.record import check_shapes, read_group, read_record

GROUP = "seen"
PAIRS = ("pair", "y", "x", "channel")
DIMENSIONS = {"strip": ("world", "time", "y", "x", "channel"), "first": PAIRS, "second": PAIRS, "gap": PAIRS[:1]}


def save_preview(store: Path, *, stride: int, **arrays: np.ndarray) -> None:
    """Puts a preview into a run's store, in place of one that was there. Raises SettingError: the store is damaged."""
    read_record(store)
    metrics = Metrics(zarr.open_group(store, mode="r+"), {})
    units = "stride and gap in steps of the world"
    metrics.keep(GROUP, arrays, dimensions=DIMENSIONS, label=_label(stride), stride=stride, units=units)


def load_preview(store: Path) -> dict[str, Any]:
    """The arrays of a run's preview, and `stride`; empty where the run has not come to its end.

    Raises SettingError: no such store, or one of another format, or a damaged one.
    """
    record = read_record(store)
    group = GROUP if (store / GROUP).is_dir() or GROUP in record.checksums else "."  # of the first runs
    if record.run_id is not None and GROUP not in record.checksums:
        return {}
    attributes = read_json(store / group / DOCUMENT).get("attributes")
    stride = attributes.get("stride") if isinstance(attributes, dict) else None
    if stride is None and record.run_id is None:
        return {}
    if type(stride) is not int or stride < 1:
        raise SettingError(f"{store / group} is damaged (stride={stride}); put back a copy of it")
    arrays = {name: array.values for name, array in read_group(store, group, record, label=_label(stride)).items()}
    check_shapes(store / group, arrays, {"strip": ("uint8", 5), "first": ("uint8", 4), "second": ("uint8", 4)})
    check_shapes(store / group, arrays, {"gap": ("int64", 1)})
    return arrays | {"stride": stride}


def _label(stride: int) -> str:
    return f"{GROUP}, every {stride} steps"
