"""The root of a metrics.zarr, which says what is committed, and the series that it vouches for.

Its attributes hold facts about the run, `committed` {series: rows}, `checksums` {series: {array: CRC-32C}}, `run_id`,
which binds the checksums to this run, and `checksum`, over all other attributes. Runs of version 0.1 have no checksums.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import zarr

from envs.errors import SettingError
from runs.scores import MISTAKES, ScoreKey
from runs.store.arrays import DOCUMENT, Document, checksum, extended, read_array, read_document
from runs.store.files import DamagedFileError, Values, read_json
from streams.recording.checksum import record_checksum
from streams.recording.storage import replace

FORMAT = "contiguity-run/1"
MIXED = ("samples", "seen")  # groups that hold arrays which do not grow
EMPTY = {"attributes": {}, "zarr_format": 3, "node_type": "group"}  # what the document of a series says
BOOKKEEPING = ("checksums", "checksum", "run_id")
FACTS: dict[str, type] = {"run": str, "learner": str, "loss": str, "device": str, "weights_sha256": str, "drift": dict}
FACTS |= {"seed": int, "frames": int, "updates": int}
FACTS |= {"class_names": dict}
DRIFT: dict[str, type] = {"phases": int, "segment": int, "recurring": bool}


class Stored(NamedTuple):
    """An array as it was committed."""

    document: Document
    values: np.ndarray

    def checksum(self, run_id: str, group: str, name: str, rows: int) -> int:
        """What its first `rows` should come to, or all of them where it does not grow."""
        values = self.values[:rows] if self.document.grows else self.values
        return extended(_place(run_id, group, name, self.document), values)


@dataclass(frozen=True)
class Record:
    """What the root says."""

    path: Path
    attributes: dict[str, Any]
    committed: dict[str, int]  # rows of each series
    checksums: dict[str, dict[str, int]]  # of the arrays of each group; empty in a run of version 0.1
    run_id: str | None  # None in a run of version 0.1

    @property
    def facts(self) -> dict[str, Any]:
        """What the run is, and how far it has come."""
        shown = {name: of for name, of in self.attributes.items() if name not in BOOKKEEPING}
        return Values(shown, path=self.path / DOCUMENT)


def sealed(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a root, with their checksum."""
    return attributes | {"checksum": record_checksum(attributes)}


def place_checksum(run_id: str, group: str, name: str, array: zarr.Array) -> int:
    """The checksum of an array of Zarr's before it has any rows."""
    dimensions = getattr(array.metadata, "dimension_names", None) or ()
    document = Document(array.shape, (), array.dtype, math.nan, [str(each) for each in dimensions])
    return _place(run_id, group, name, document)


def read_record(path: Path) -> Record:
    """What the root of a store says. Raises SettingError: no run, none that has begun, another format, or damaged."""
    file, run = path / DOCUMENT, path.parent
    attributes = read_json(file).get("attributes") if file.exists() else None
    if not attributes and not has_numbers(path):
        if (run / ".hydra" / "config.yaml").is_file():
            raise SettingError(f"{run} was begun and has no numbers yet; run.resume={run} goes on with it")
        raise SettingError(f"{run} is no run; give the folder of one, as in results/NAME")
    if not isinstance(attributes, dict) or not isinstance(attributes.get("format"), str):
        raise DamagedFileError(file, "it does not say what it is" if file.exists() else "it is missing")
    if attributes["format"] != FORMAT:
        raise SettingError(
            f"{path} has format {attributes['format']}, and this version reads {FORMAT}; use the version that wrote it"
        )
    known = [name in attributes for name in BOOKKEEPING]
    if any(known) and (not all(known) or attributes["checksum"] != record_checksum(attributes)):
        raise DamagedFileError(file, "it has a wrong checksum")
    _check(attributes, file)
    return Record(path, attributes, attributes["committed"], attributes.get("checksums", {}), attributes.get("run_id"))


def has_begun(path: Path) -> bool:
    """Whether a run has written anything into its store. Raises SettingError: as `read_record`."""
    return has_numbers(path) and bool(read_record(path).committed)


def read_group(path: Path, group: str, record: Record, *, label: str | None = None) -> dict[str, Stored]:
    """The arrays of a group as they were committed; `label` is what their checksums call it, where not by its name.

    Raises SettingError: something is damaged; the line names the group and the file.
    """
    folder, sums = path / group, record.checksums.get(group)
    try:
        if record.run_id and sums is None:
            raise DamagedFileError(folder, "it has no checksums")
        arrays = {}
        for name in _arrays_in(folder) if sums is None else sums:
            document = read_document(folder / name)
            rows = record.committed.get(group) if document.grows or group not in (*MIXED, ".") else None
            array = arrays[name] = Stored(document, read_array(folder / name, document, rows=rows))
            if sums and sums[name] != array.checksum(record.run_id or "", label or group, name, len(array.values)):
                raise DamagedFileError(folder / name, "it is not what was written there")
        if group in record.committed:
            _check_frames(folder, arrays.get("frames"))
        mixed = group in (*MIXED, ".") or group.startswith(f"{MISTAKES}/")
        for name in [name for name, array in arrays.items() if not mixed and array.values.ndim != 1]:
            raise DamagedFileError(folder / name, "it holds no numbers over time")
    except DamagedFileError as error:
        what = error.path.relative_to(folder)
        raise SettingError(f"{folder} is damaged ({what}: {error.why}); put back a copy of it") from error
    return arrays


def mend_groups(path: Path, groups: Iterable[str]) -> list[str]:
    """Writes the documents of groups, and of those above them, where they are damaged; a line for each."""
    notes = []
    folders = {path / parent for group in groups for parent in (PurePosixPath(group), *PurePosixPath(group).parents)}
    for folder in sorted(folders - {path}):
        try:
            values = read_json(folder / DOCUMENT)
            damage = "" if {name: values.get(name) for name in EMPTY} == EMPTY else "it is no group"
        except DamagedFileError as error:
            damage = error.why
        if damage:
            replace(folder / DOCUMENT, json.dumps(EMPTY).encode())
            notes.append(f"{folder / DOCUMENT} was damaged ({damage}) and is written anew; it says nothing of its own")
    return notes


def check_shapes(folder: Path, arrays: Mapping[str, np.ndarray], expected: Mapping[str, tuple[str, int]]) -> None:
    """Raises SettingError where arrays are missing, or of another type or number of axes: {name: (type, axes)}."""
    for name, (kind, axes) in expected.items():
        array = arrays.get(name)
        if array is None or (array.dtype.name, array.ndim) != (kind, axes) or not array.size:
            what = "it is missing" if array is None else f"it is {array.dtype} of shape {array.shape}"
            raise SettingError(f"{folder} is damaged ({name}: {what}); put back a copy of it")


def _check_frames(folder: Path, frames: Stored | None) -> None:
    """The axis of a series counts up from 0; where a chunk of it is lost, it says -1."""
    if frames is None:
        raise DamagedFileError(folder / "frames", "it is missing")
    if frames.values.ndim != 1 or frames.values.dtype != np.int64:
        raise DamagedFileError(folder / "frames", "it holds no numbers of frames")
    if (frames.values < 0).any() or (np.diff(frames.values) < 0).any():
        raise DamagedFileError(folder / "frames", "it does not count up")


def _arrays_in(folder: Path) -> list[str]:
    """The names of the arrays that lie in a folder."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    documents = {entry.name: read_json(entry / DOCUMENT) for entry in entries if (entry / DOCUMENT).exists()}
    return [name for name, values in documents.items() if values.get("node_type") == "array"]


def has_numbers(path: Path) -> bool:
    """Whether something was written here, or a checkpoint beside it, which comes after the first numbers."""
    others = [entry for entry in path.iterdir() if entry.name != DOCUMENT] if path.is_dir() else []
    document = path / DOCUMENT
    says = document.exists() and bool(read_json(document).get("attributes"))
    return says or bool(others) or any((path.parent / "checkpoints").glob("*-*.pt"))


def _check(attributes: dict[str, Any], file: Path) -> None:
    """Refuses attributes of other types than those that we write."""
    committed, drift = attributes.get("committed"), attributes.get("drift", {})
    if not isinstance(committed, dict) or not all(map(_is_series, committed.items())):
        raise DamagedFileError(file, "it does not say what is committed")
    try:
        list(map(ScoreKey.parse, committed))
    except ValueError as error:
        raise DamagedFileError(file, str(error)) from error
    for types, values in ((FACTS, attributes), (DRIFT, drift if isinstance(drift, dict) else {})):
        for name, kind in types.items():
            if name in values and type(values[name]) is not kind:
                raise DamagedFileError(file, f"it says {name}={values[name]}")
    if drift and (drift.keys() != DRIFT.keys() or not 0 < drift["phases"] <= 1 << 16 or drift["segment"] < 1):
        raise DamagedFileError(file, f"it says drift={drift}")


def _is_series(item: tuple[str, Any]) -> bool:
    """Whether a name stays within the folder, and a number of rows can be one."""
    parts = PurePosixPath(item[0]).parts
    stays = bool(parts) and "/".join(parts) == item[0] and not {"/", ".", ".."} & set(parts) and "\0" not in item[0]
    return stays and type(item[1]) is int and item[1] > 0


def _place(run_id: str, group: str, name: str, document: Document) -> int:
    return checksum(
        [run_id, group, name], dtype=document.dtype, shape=document.shape[1:], dimensions=document.dimensions
    )
