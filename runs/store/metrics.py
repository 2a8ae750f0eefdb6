"""Every number over time, in Zarr: one group a series, each with a `frames` axis; a commit mark, written last.

`train` holds `frames`, `loss`, `block1_loss`, ...; a score lies at its key's path (`runs.scores`). The root's
attribute `committed` gives the length of each series: what lies beyond was never finished, and no reader looks at it.
Beside it stand the checksums of all arrays, and one of the root's attributes themselves (`runs.store.record`).

`samples` holds a few test images (M, H, W, 3), their labels (M,), and their features (frames, M, D) over time;
`mistakes/TASK`, where a run began and ended, what the linear probe took for what.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4
from warnings import catch_warnings, simplefilter

import numpy as np
import zarr
from zarr.errors import ZarrUserWarning

from envs.errors import SettingError
from runs.scores import MISTAKES, ScoreKey
from runs.store.arrays import extended
from runs.store.record import (
    FORMAT,
    Record,
    Stored,
    check_shapes,
    mend_groups,
    place_checksum,
    read_group,
    read_record,
    sealed,
)

CHUNK = 1024  # rows
MAX_LABEL = 1 << 20  # of a test image's category
SAMPLES = "samples"  # the group whose rows are no single numbers
DIMENSIONS = {
    "images": ("sample", "y", "x", "channel"),
    "labels": ("sample",),
    "embeddings": ("frames", "sample", "feature"),
    "confusion": ("frames", "label", "answer"),
    "worst": ("frames", "rank", "y", "x", "channel"),
    "worst_labels": ("frames", "rank"),
    "worst_answers": ("frames", "rank"),
}
MISTAKES_SHAPES = {
    "confusion": ("int32", 3),
    "worst": ("uint8", 5),
    "worst_labels": ("int64", 2),
    "worst_answers": ("int64", 2),
}
SHAPES = {"images": ("uint8", 4), "labels": ("int64", 1), "embeddings": ("float16", 3)}  # type and axes
UNITS = {
    "frames": "world frames seen",
    "top1": "share of test images classified correctly",
    "validation_top1": "share of validation images classified correctly",
    "deviation": "standard deviation of top1 over sets of labels",
    "lr": "learning rate of Adam at its first step, chosen on validation images",
    "epochs": "passes over the training images, chosen on validation images",
    "features": "numbers that a probe reads of an image",
    "r2": "share of the variance over test images that is explained",
    "validation_r2": "share of the variance over validation images that is explained",
    "strength": "penalty on the sum of squared weights",
    "degenerate": "1 where a probe gives one answer or its strength is the last tried; a share, of several sets",
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
    "age": "steps that made pairs, from when a row of the memory came, mean",
    "oldest": "steps that made pairs, from when a row of the memory came, the most",
    "redundancy": "cosine of a thumbnail with the most similar other in the memory, mean",
    **dict.fromkeys(("world", "stream", "learner", "eval"), "share of time"),
}
Series = dict[str, np.ndarray]
Row = Mapping[str, float | np.ndarray]
Group = TypeVar("Group", bound=ScoreKey | str)


class Metrics:
    """The numbers of one run, which this process alone writes. Rows wait in memory until they are committed."""

    def __init__(self, root: zarr.Group, latest: dict[str, int], *, notes: Iterable[str] = ()):
        self.root, self.notes = root, tuple(notes)  # a line for each series that is gone
        self.mirror: Callable[[str, list[Row]], None] = lambda group, rows: None  # gets committed rows
        self._waiting: dict[str, list[Row]] = {}
        self.latest = latest  # frames of each series' last row, of those that wait too

    @classmethod
    def create(cls, path: Path, attributes: dict[str, Any], *, run_id: str | None = None) -> "Metrics":
        """An empty store with the attributes of its run, in place of one that was there.

        `run_id` is what its run's folder knows it by; one is made up where none is given.
        """
        root = zarr.open_group(path, mode="w", zarr_format=3)
        facts = {"format": FORMAT, "committed": {}, **attributes, "run_id": run_id or uuid4().hex, "checksums": {}}
        root.update_attributes(sealed(facts))
        return cls(root, {})

    @classmethod
    def open(cls, path: Path, *, cut_to: int) -> "Metrics":
        """An existing store, cut back to the rows of the first `cut_to` frames.

        One that was written before there were checksums has them from now on. A series whose folder somebody removed
        is forgotten, and noted.

        Raises SettingError: no such store, or one of another format, or a damaged one.
        """
        record = read_record(path)
        gone = [group for group in record.committed if not (path / group).exists()]
        run_id = record.run_id or uuid4().hex
        committed, sums, latest = {}, {}, {}
        for group in [group for group in record.committed if group not in gone]:
            arrays = _sound(path, group, record)
            length = int((arrays["frames"].values <= cut_to).sum())
            if length:
                committed[group], latest[group] = length, int(arrays["frames"].values[length - 1])
                sums[group] = {name: array.checksum(run_id, group, name, length) for name, array in arrays.items()}
        _tidy(path)
        notes = [f"{path / group} is gone; the run goes on without it" for group in gone] + mend_groups(path, committed)
        with _writing(path):
            root = zarr.open_group(path, mode="r+")
            unnumbered = {group: of for group, of in record.checksums.items() if group not in record.committed}
            facts = {"committed": committed, "checksums": unnumbered | sums, "run_id": run_id}
            root.update_attributes(sealed(record.attributes | facts))
            _cut(root, committed)
        return cls(root, latest, notes=notes)

    @property
    def run_id(self) -> str:
        """What the run's folder and its checkpoints know it by."""
        return str(self.root.attrs["run_id"])

    @property
    def begun(self) -> bool:
        """Whether anything was ever committed."""
        return bool(self.root.attrs["committed"])

    def show_samples(self, arrays: dict[str, np.ndarray]) -> None:
        """Keeps the images and labels whose features the rows of `samples` hold."""
        self.keep(SAMPLES, arrays, dimensions=DIMENSIONS)

    def name_classes(self, names: dict[str, list[str]]) -> None:
        """Keeps what the classes of each task are called, by the name of its score."""
        self._update(class_names=names)

    def keep(
        self,
        group: str,
        arrays: Mapping[str, np.ndarray],
        *,
        dimensions: Mapping[str, tuple[str, ...]],
        label: str | None = None,
        **attributes: Any,
    ) -> None:
        """Puts arrays that do not grow into a group, in place of those that were there.

        Their checksums call the group `label`, which can tell more of it than its name.
        """
        checksums = {name: of for name, of in self._checksums.items() if name != group}
        self._update(checksums=checksums)
        node = self.root.create_group(group, overwrite=True, attributes=attributes)
        checksums[group] = {}
        for name, values in arrays.items():
            array = node.create_array(name, data=values, dimension_names=dimensions[name])
            checksums[group][name] = extended(place_checksum(self.run_id, label or group, name, array), values)
        self._update(checksums=checksums)

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
        committed, checksums = _committed(self.root), self._checksums
        for group, rows in self._waiting.items():
            of_group = checksums.setdefault(group, {})
            committed[group] = self._append(group, committed.get(group, 0), rows, of_group)
        self._update(committed=committed, checksums=checksums, **attributes)
        for group, rows in self._waiting.items():
            self.mirror(group, rows)
        self._waiting = {}

    @property
    def _checksums(self) -> dict[str, dict[str, int]]:
        checksums: Any = self.root.attrs["checksums"]
        return {group: dict(of) for group, of in checksums.items()}

    def _update(self, **attributes: Any) -> None:
        self.root.update_attributes(sealed({**self.root.attrs, **attributes}))

    def _append(self, group: str, length: int, rows: list[Row], checksums: dict[str, int]) -> int:
        """Appends rows to a series, and to the checksums of its arrays; returns how many rows it then has."""
        node = self.root.require_group(group)
        total, given = length + len(rows), dict.fromkeys(name for row in rows for name in row)
        for name in given:
            if name not in node:
                self._create(node, name, next(row[name] for row in rows if name in row))
        for name, array in sorted(node.arrays(), key=itemgetter(0)):  # which come in any order
            if _grows(array):
                array.resize((total, *array.shape[1:]))
                if name not in checksums:  # it is new, or was begun by a run that was killed
                    array[:length] = missing = np.full((length, *array.shape[1:]), array.fill_value, array.dtype)
                    checksums[name] = extended(place_checksum(self.run_id, group, name, array), missing)
                values = np.array([row.get(name, array.fill_value) for row in rows]).astype(array.dtype)
                array[length:] = values
                checksums[name] = extended(checksums[name], values)
        return total

    def _create(self, node: zarr.Group, name: str, value: float | np.ndarray) -> None:
        """An empty series of such values; a row of arrays is a chunk of its own."""
        if isinstance(value, np.ndarray):
            shape, kind, names = value.shape, str(value.dtype), DIMENSIONS[name]
        else:
            shape, kind, names = (), "int64" if name == "frames" else "float64", ("frames",)
        node.create_array(
            name, shape=(0, *shape), chunks=(1 if shape else CHUNK, *shape), dtype=kind,
            fill_value={"i": -1, "u": 0}.get(np.dtype(kind).kind, np.nan),
            attributes={"units": UNITS.get(name, "1")}, dimension_names=names,
        )  # fmt: skip


def read(
    path: Path, *, only: Iterable[str] = ("*",), damaged: dict[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, Series]]:
    """A run's attributes, and its series by name: {group: {name: (rows,)}}, of the groups that fit a pattern in `only`.
    Names within a group are in alphabetical order.

    Samples and mistakes are apart, in `read_samples` and `read_mistakes`. Runs of version 0.1 have the majority class's
    share as `baseline/chance` and no 1/classes: here their groups have the names of today. A damaged series is left out
    where `damaged` is given, which then says why: {group: a line}.

    Raises SettingError: no such store, or one of another format, or a damaged one.
    """
    record = read_record(path)
    names, series = _names_today([group for group in record.committed if not _apart(group)]), {}
    for group, name in names.items():
        if any(fnmatch(name, pattern) for pattern in only):
            try:
                arrays = read_group(path, group, record)
                series[name] = {each: arrays[each].values for each in sorted(arrays)}
            except SettingError as error:
                if damaged is None:
                    raise
                damaged[name] = str(error)
    return record.facts, series


def _apart(group: str) -> bool:
    """Whether its rows are no numbers."""
    return group == SAMPLES or group.startswith(f"{MISTAKES}/")


def _names_today(groups: list[str]) -> dict[str, str]:
    """The name of each group today: where there is no `majority_class`, its share is what `chance` holds."""
    keys = {group: key for group in groups if (key := ScoreKey.parse(group))}
    old = not any(key.encoder == "majority_class" for key in keys.values())
    chance = {group: key for group, key in keys.items() if old and key.encoder == "chance"}
    renamed = {group: replace(key, encoder="majority_class").path for group, key in chance.items()}
    return {group: renamed.get(group, group) for group in groups}


def latest(path: Path) -> dict[str, int]:
    """The frames of the last row of each of a run's series. Raises SettingError: as `read`."""
    record = read_record(path)
    return {group: int(read_group(path, group, record)["frames"].values[-1]) for group in record.committed}


def facts(path: Path) -> dict[str, Any]:
    """A run's attributes alone: what it is, and how far its last commit was. Raises SettingError: as `read`."""
    return read_record(path).facts


def read_samples(path: Path) -> Series:
    """A run's sample images (M, H, W, 3) uint8, labels (M,), embeddings (E, M, D) float16 and frames (E,) int64.

    Empty where none were kept.

    Raises SettingError: as `read`.
    """
    record = read_record(path)
    arrays = read_group(path, SAMPLES, record) if SAMPLES in record.committed else {}
    samples = {name: array.values for name, array in arrays.items()}
    if samples:
        check_shapes(path / SAMPLES, samples, SHAPES)
        most, least = samples["labels"].max(), samples["labels"].min()
        if not 0 <= least <= most <= MAX_LABEL or len({len(samples["images"]), len(samples["labels"])}) > 1:
            raise SettingError(f"{path / SAMPLES} is damaged (labels from {least} to {most}); put back a copy of it")
    return samples


def read_mistakes(path: Path) -> dict[str, Series]:
    """What the linear probe of each task took for what, by the name of its score: the arrays of `mistakes_of` (E, ...).

    Raises SettingError: as `read`.
    """
    record, found = read_record(path), {}
    for group in record.committed:
        if group.startswith(f"{MISTAKES}/"):
            arrays = {name: array.values for name, array in read_group(path, group, record).items()}
            check_shapes(path / group, arrays, MISTAKES_SHAPES)
            classes = arrays["confusion"].shape[1]
            for name in ("worst_labels", "worst_answers"):
                if not ((arrays[name] >= 0) & (arrays[name] < classes)).all():
                    raise SettingError(f"{path / group} is damaged ({name}: no class); put back a copy of it")
            found[group.removeprefix(f"{MISTAKES}/")] = arrays
    return found


def _sound(path: Path, group: str, record: Record) -> dict[str, Stored]:
    """The arrays of a series that is to grow. Raises SettingError: it is damaged; how to go on."""
    try:
        return read_group(path, group, record)
    except SettingError as error:
        raise SettingError(f"{error}, or remove that folder, and the run goes on without its numbers") from error


def _committed(root: zarr.Group) -> dict[str, int]:
    committed: Any = root.attrs["committed"]
    return dict(committed)


def _grows(array: zarr.Array) -> bool:
    """Whether its first axis is `frames`."""
    return (getattr(array.metadata, "dimension_names", None) or (None,))[0] == "frames"


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
def _writing(path: Path) -> Iterator[None]:
    """Names what Zarr finds where it is to go on writing."""
    try:
        with catch_warnings():
            simplefilter("ignore", ZarrUserWarning)  # of files that are not ours
            yield
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise SettingError(f"{path} is damaged ({type(error).__name__}: {error}); put back a copy of it") from error
