"""Every number over time, in Zarr: one group a series, each with a `frames` axis; a commit mark, written last.

`train` holds `frames`, `loss`, ...; `eval/linear` holds `frames`, `top1`, ...; and so on. The root's attribute
`committed` gives the length of each series: what lies beyond was never finished, and no reader looks at it.
"""

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from envs.errors import SettingError

FORMAT = "contiguity-run/1"
CHUNK = 1024  # rows
UNITS = {
    "frames": "world frames seen",
    "top1": "share of test images classified correctly",
    "validation_top1": "share of validation images classified correctly",
    "strength": "ridge penalty",
    "frames_per_s": "frames a second, evaluation not counted",
    "effective_rank": "directions, of a probe batch's features",
    "own_gradient": "cosine with the gradient of the rule's own loss",
    "top_gradient": "cosine with the gradient of the loss at the top",
    "feedback": "cosine of what carries errors back with the forward weights",
    "head_feedback": "cosine of what carries errors back with the forward weights, in the head",
    "world": "share of time",
    "stream": "share of time",
    "learner": "share of time",
    "eval": "share of time",
}
Series = dict[str, np.ndarray]


class Metrics:
    """The numbers of one run, which this process alone writes. Rows wait in memory until they are committed."""

    def __init__(self, root: zarr.Group):
        self.root = root
        self._waiting: dict[str, list[dict[str, float]]] = {}

    @classmethod
    def create(cls, path: Path, attributes: dict[str, Any]) -> "Metrics":
        """An empty store that knows what run it belongs to, in place of one that was there."""
        root = zarr.open_group(path, mode="w", zarr_format=3)
        root.update_attributes({"format": FORMAT, "committed": {}, **attributes})
        return cls(root)

    @classmethod
    def open(cls, path: Path, *, cut_to: int) -> "Metrics":
        """An existing store, cut back to the rows of the first `cut_to` frames."""
        root = _open(path, mode="r+")
        lengths = {
            name: int((root[f"{name}/frames"][:length] <= cut_to).sum())
            for name, length in root.attrs["committed"].items()
        }
        root.update_attributes({"committed": {name: length for name, length in lengths.items() if length}})
        _cut(root, lengths)
        return cls(root)

    @property
    def begun(self) -> bool:
        """Whether anything was ever committed."""
        return bool(self.root.attrs["committed"])

    def add(self, group: str, frames: int, values: dict[str, float]) -> None:
        """A row of a series: numbers that belong to the moment when so many frames had been seen."""
        self._waiting.setdefault(group, []).append({"frames": frames, **values})

    def add_all(self, frames: int, groups: dict[str, dict[str, float]]) -> None:
        """A row of each of several series."""
        for group, values in groups.items():
            self.add(group, frames, values)

    def commit(self, **attributes: Any) -> None:
        """Writes the rows that wait, then says, together with the attributes, that they are there."""
        committed = dict(self.root.attrs["committed"])
        for group, rows in self._waiting.items():
            committed[group] = self._append(group, committed.get(group, 0), rows)
        self.root.update_attributes({"committed": committed, **attributes})
        self._waiting = {}

    def _append(self, group: str, length: int, rows: list[dict[str, float]]) -> int:
        node = self.root.require_group(group)
        total = length + len(rows)
        for name in dict.fromkeys([*node.array_keys(), *(name for row in rows for name in row)]):
            if name not in node:
                kind, empty = ("int64", -1) if name == "frames" else ("float64", np.nan)
                attributes = {"units": UNITS.get(name, "1")}
                node.create_array(
                    name, shape=(0,), chunks=(CHUNK,), dtype=kind, fill_value=empty, attributes=attributes,
                    dimension_names=("frames",),
                )  # fmt: skip
            array = node[name]
            array.resize((total,))
            array[length:] = [row.get(name, array.fill_value) for row in rows]
        return total


def read(path: Path, *, only: Iterable[str] = ("*",)) -> tuple[dict[str, Any], dict[str, Series]]:
    """A run's attributes, and its series by name: {group: {name: (rows,)}}, of the groups that fit a pattern in `only`.

    Raises:
        SettingError: no such store, or one of another format, or a damaged one.
    """
    root = _open(path, mode="r")
    group = ""
    try:
        series = {}
        for group, length in root.attrs["committed"].items():
            if not any(fnmatch(group, pattern) for pattern in only):
                continue
            series[group] = {name: _padded(array, length) for name, array in root[group].arrays()}
            if "frames" not in series[group]:
                raise KeyError("frames")
    except (KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        raise SettingError(f"{path}/{group} is damaged ({type(error).__name__}: {error})") from error
    return dict(root.attrs), series


def facts(path: Path) -> dict[str, Any]:
    """A run's attributes alone: what it is, and how far its last commit was.

    Raises:
        SettingError: no such store, or one of another format.
    """
    return dict(_open(path, mode="r").attrs)


def _cut(root: zarr.Group, lengths: dict[str, int]) -> None:
    """Makes arrays along `frames` as long as the mark says, for readers who know nothing of the mark."""
    for name, node in root.members(max_depth=None):
        if isinstance(node, zarr.Array) and (node.metadata.dimension_names or (None,))[0] == "frames":
            node.resize((lengths.get(name.rpartition("/")[0], 0), *node.shape[1:]))


def _padded(array: zarr.Array, length: int) -> np.ndarray:
    found = array[:length]
    return np.concatenate([found, np.full(length - len(found), array.fill_value, found.dtype)])


def _open(path: Path, *, mode: str) -> zarr.Group:
    try:
        root = zarr.open_group(path, mode=mode)
    except (FileNotFoundError, ValueError, KeyError):
        raise SettingError(f"{path.parent} is no run; give the folder of one, as in results/NAME") from None
    found = root.attrs.get("format")
    if found != FORMAT:
        raise SettingError(f"{path} has format {found}, and this version reads {FORMAT}; use the version that wrote it")
    return root
