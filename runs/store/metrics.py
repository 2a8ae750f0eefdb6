"""Every number over time, in Zarr: one group a series, each with a `frames` axis; a commit mark, written last.

`train` holds `frames`, `loss`, `block1_loss`, ...; a score lies at its key's path (`runs.scores`). The root's
attribute `committed` gives the length of each series: what lies beyond was never finished, and no reader looks at it.

`samples` holds a few test images (M, H, W, 3), their labels (M,), and their features (frames, M, D) over time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import zarr

from envs.errors import SettingError
from runs.scores import ScoreKey

FORMAT = "contiguity-run/1"
CHUNK = 1024  # rows
SAMPLES = "samples"  # the group whose rows are no single numbers
DIMENSIONS = {
    "images": ("sample", "y", "x", "channel"),
    "labels": ("sample",),
    "embeddings": ("frames", "sample", "feature"),
}
UNITS = {
    "frames": "world frames seen",
    "top1": "share of test images classified correctly",
    "validation_top1": "share of validation images classified correctly",
    "deviation": "standard deviation of top1 over sets of labels",
    "lr": "learning rate of Adam at its first step, chosen on validation images",
    "epochs": "passes over the training images, chosen on validation images",
    "r2": "share of the variance over test images that is explained",
    "validation_r2": "share of the variance over validation images that is explained",
    "strength": "penalty on the sum of squared weights",
    "at_edge": "1 where that is the last tried, so that a score says little; a share, of several sets of labels",
    "frames_per_s": "frames a second, evaluation not counted",
    "effective_rank": "directions, of a probe batch's features",
    "active": "share of negatives inside the margin",
    "positive_distance": "distance in the space in which the loss compares, mean of pairs",
    "negative_distance": "distance in the space in which the loss compares, mean of different episodes",
    "own_gradient": "cosine with the gradient of the rule's own loss",
    "top_gradient": "cosine with the gradient of the loss at the top",
    "feedback": "cosine of what carries errors back with the forward weights",
    "head_feedback": "cosine of what carries errors back with the forward weights, in the head",
    "held": "frames in the memory",
    "age": "steps that made pairs since a row of the memory came, mean",
    "oldest": "steps that made pairs since a row of the memory came, the most",
    "redundancy": "cosine of a thumbnail with the most similar other in the memory, mean",
    **dict.fromkeys(("world", "stream", "learner", "eval"), "share of time"),
}
Series = dict[str, np.ndarray]
Row = Mapping[str, float | np.ndarray]
Group = TypeVar("Group", bound=ScoreKey | str)


class Metrics:
    """The numbers of one run, which this process alone writes. Rows wait in memory until they are committed."""

    def __init__(self, root: zarr.Group):
        self.root = root
        self.mirror: Callable[[str, list[Row]], None] = lambda group, rows: None  # gets committed rows
        self._waiting: dict[str, list[Row]] = {}
        self.latest = _latest(root)  # frames of each series' last row, of those that wait too

    @classmethod
    def create(cls, path: Path, attributes: dict[str, Any]) -> "Metrics":
        """An empty store with the attributes of its run, in place of one that was there."""
        root = zarr.open_group(path, mode="w", zarr_format=3)
        root.update_attributes({"format": FORMAT, "committed": {}, **attributes})
        return cls(root)

    @classmethod
    def open(cls, path: Path, *, cut_to: int) -> "Metrics":
        """An existing store, cut back to the rows of the first `cut_to` frames."""
        _tidy(path)
        root = open_run(path, mode="r+")
        marks = _committed(root).items()
        lengths = {name: int((_frames(root, name, length) <= cut_to).sum()) for name, length in marks}
        root.update_attributes({"committed": {name: length for name, length in lengths.items() if length}})
        _cut(root, lengths)
        return cls(root)

    @property
    def begun(self) -> bool:
        """Whether anything was ever committed."""
        return bool(self.root.attrs["committed"])

    def show_samples(self, arrays: dict[str, np.ndarray]) -> None:
        """Keeps the images and labels whose features the rows of `samples` hold."""
        samples = self.root.require_group(SAMPLES)
        for name, values in arrays.items():
            samples.create_array(name, data=values, overwrite=True, dimension_names=DIMENSIONS[name])

    def add(self, group: ScoreKey | str, frames: int, values: Row) -> None:
        """Adds a row to a series: its numbers after `frames` frames. The series of a score lies at its key's path.

        A slash in a name would put an array into a group of its own, apart from its frames: `block1/loss` is kept as
        `block1_loss`. `frames` is the axis: a value of that name gives way to it.
        """
        group, row = str(group), {name.replace("/", "_"): value for name, value in values.items()}
        self._waiting.setdefault(group, []).append({**row, "frames": frames})
        self.latest[group] = frames

    def add_all(self, frames: int, groups: Mapping[Group, Row]) -> None:
        """Adds a row to each of several series."""
        for group, values in groups.items():
            self.add(group, frames, values)

    def commit(self, **attributes: Any) -> None:
        """Writes the rows that wait, then says, together with the attributes, that they are there."""
        committed = _committed(self.root)
        for group, rows in self._waiting.items():
            committed[group] = self._append(group, committed.get(group, 0), rows)
        self.root.update_attributes({"committed": committed, **attributes})
        for group, rows in self._waiting.items():
            self.mirror(group, rows)
        self._waiting = {}

    def _append(self, group: str, length: int, rows: list[Row]) -> int:
        node = self.root.require_group(group)
        total, given = length + len(rows), dict.fromkeys(name for row in rows for name in row)
        for name in given:
            if name not in node:
                self._create(node, name, next(row[name] for row in rows if name in row))
        for name, array in node.arrays():
            if _grows(array):
                array.resize((total, *array.shape[1:]))
                array[length:] = np.array([row.get(name, array.fill_value) for row in rows])
        return total

    def _create(self, node: zarr.Group, name: str, value: float | np.ndarray) -> None:
        """An empty series of such values; a row of arrays is a chunk of its own."""
        if isinstance(value, np.ndarray):
            shape, kind, names = value.shape, str(value.dtype), DIMENSIONS[name]
        else:
            shape, kind, names = (), "int64" if name == "frames" else "float64", ("frames",)
        node.create_array(
            name, shape=(0, *shape), chunks=(1 if shape else CHUNK, *shape), dtype=kind,
            fill_value=-1 if name == "frames" else np.nan,
            attributes={"units": UNITS.get(name, "1")}, dimension_names=names,
        )  # fmt: skip


def read(path: Path, *, only: Iterable[str] = ("*",)) -> tuple[dict[str, Any], dict[str, Series]]:
    """A run's attributes, and its series by name: {group: {name: (rows,)}}, of the groups that fit a pattern in `only`.

    The samples are apart, in `read_samples`. Runs of version 0.1 have the majority class's share as `baseline/chance`
    and no 1/classes: here their groups have the names of today.

    Raises SettingError: no such store, or one of another format, or a damaged one.
    """
    root = open_run(path, mode="r")
    with _damage(path):
        committed = {group: length for group, length in _committed(root).items() if group != SAMPLES}
        names = _names_today(committed)
    series = {}
    for group, length in committed.items():
        name = names[group]
        if not any(fnmatch(name, pattern) for pattern in only):
            continue
        with _damage(path / group):
            series[name] = {array_name: _padded(array, length) for array_name, array in group_of(root, group).arrays()}
            if "frames" not in series[name]:
                raise KeyError("frames")
    return dict(root.attrs), series


def _names_today(groups: Iterable[str]) -> dict[str, str]:
    """The name of each group today: where there is no `majority_class`, its share is what `chance` holds."""
    keys = {group: key for group in groups if (key := ScoreKey.parse(group))}
    old = not any(key.encoder == "majority_class" for key in keys.values())
    chance = {group: key for group, key in keys.items() if old and key.encoder == "chance"}
    renamed = {group: replace(key, encoder="majority_class").path for group, key in chance.items()}
    return {group: renamed.get(group, group) for group in groups}


def latest(path: Path) -> dict[str, int]:
    """The frames of the last row of each of a run's series. Raises SettingError: as `read`."""
    with _damage(path):
        return Metrics(open_run(path, mode="r")).latest


def facts(path: Path) -> dict[str, Any]:
    """A run's attributes alone: what it is, and how far its last commit was. Raises as `open_run` does."""
    return dict(open_run(path, mode="r").attrs)


def read_samples(path: Path) -> Series:
    """A run's sample images (M, H, W, 3) uint8, labels (M,), embeddings (E, M, D) float16 and frames (E,) int64.

    Empty where none were kept.

    Raises SettingError: as `read`.
    """
    root = open_run(path, mode="r")
    with _damage(path / SAMPLES):
        length = _committed(root).get(SAMPLES, 0)
        arrays = group_of(root, SAMPLES).arrays() if length else ()
        return {name: _padded(array, length) if _grows(array) else np.asarray(array[:]) for name, array in arrays}


def group_of(root: zarr.Group, name: str) -> zarr.Group:
    """The group of this name. Raises KeyError where it is none."""
    node = root[name]
    if not isinstance(node, zarr.Group):
        raise KeyError(name)
    return node


def _committed(root: zarr.Group) -> dict[str, int]:
    committed: Any = root.attrs["committed"]
    return dict(committed)


def _frames(root: zarr.Group, group: str, length: int) -> np.ndarray:
    array = root[f"{group}/frames"]
    if not isinstance(array, zarr.Array):
        raise KeyError("frames")
    return np.asarray(array[:length])


def _grows(array: zarr.Array) -> bool:
    """Whether its first axis is `frames`."""
    return (getattr(array.metadata, "dimension_names", None) or (None,))[0] == "frames"


def _latest(root: zarr.Group) -> dict[str, int]:
    return {name: int(_frames(root, name, length)[-1]) for name, length in _committed(root).items()}


def _tidy(path: Path) -> None:
    """Removes half-made files of a writer that was killed or had no room: zarr would warn of them for ever."""
    for place in sorted(path.rglob("*"), reverse=True):  # what is in a folder before the folder
        if place.suffix == ".partial":
            place.unlink()
        elif place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _cut(root: zarr.Group, lengths: dict[str, int]) -> None:
    """Makes arrays along `frames` as long as the mark says, for readers who know nothing of the mark."""
    for name, node in root.members(max_depth=None):
        if isinstance(node, zarr.Array) and _grows(node):
            node.resize((lengths.get(name.rpartition("/")[0], 0), *node.shape[1:]))


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        raise SettingError(f"{path} is damaged ({type(error).__name__}: {error})") from error


def _padded(array: zarr.Array, length: int) -> np.ndarray:
    rows = np.asarray(array[:length])
    missing = (length - len(rows), *rows.shape[1:])
    return np.concatenate([rows, np.full(missing, array.fill_value, rows.dtype)])


def open_run(path: Path, *, mode: Literal["r", "r+"]) -> zarr.Group:
    """The store of a run. Raises SettingError: no such store, or one of another format."""
    try:
        root = zarr.open_group(path, mode=mode)
    except (FileNotFoundError, ValueError, KeyError):
        root = None
    version = None if root is None else root.attrs.get("format")
    if version is None and (path.parent / ".hydra" / "config.yaml").is_file():
        raise SettingError(f"{path.parent} was begun and has no numbers yet; run.resume={path.parent} goes on with it")
    if root is None:
        raise SettingError(f"{path.parent} is no run; give the folder of one, as in results/NAME")
    if version != FORMAT:
        raise SettingError(
            f"{path} has format {version}, and this version reads {FORMAT}; use the version that wrote it"
        )
    return root
