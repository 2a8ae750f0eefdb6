"""Reads recordings: their facts, checked before they are believed, and frames by step and world."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from envs.errors import SettingError
from streams.recording.checksum import Damaged
from streams.recording.codec import Layout, decode, decode_steps, layout_of
from streams.recording.storage import Folder, open_folder, read

FORMAT = "contiguity-stream/1"
FACTS = {"committed": int, "episodes": int, "factors": list, "env": dict, "seed": int, "gaze": str}
COUNTS = ("committed", "episodes")
INTEGERS = ("episode", "factors/category", "factors/phase")  # which memories and probes count by
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class Recording:
    """Frames of N worlds over time, as far as they are committed.

    Of what it says of itself (FACTS), `committed` is how many steps there are, and `episodes` one more than the highest
    episode number: as many as there are or more, since worlds number theirs apart and need not get equally far.
    `python -m streams.check` counts them.

    Nothing of it is trusted: it is JSON and compressed numbers, its files lie inside its folder, and what is not as
    `streams.record` would have written it is refused.

    Raises SettingError: there is none, or it is of another format, or contradicts itself.
    """

    def __init__(self, path: str, *, setting: str = "stream.path"):
        self.path, self.setting = path, setting
        self.folder: Folder = open_folder(path, setting=setting)
        self.facts: dict[str, Any] = {}
        self._document_read = b""  # the document that the facts are from
        self.refresh()
        self.layouts = {name: self._layout(name) for name in self.names}
        images = self.layouts["images"]
        if images.kind != "uint8" or len(images.shard) != 5 or images.shard[4] != 3:
            raise self._wrong(f"images are {images.kind} {images.shard[1:]}, and not uint8 (N, H, W, 3)")
        for name, layout in self.layouts.items():
            if name in INTEGERS and (layout.kind != "int64" or len(layout.shard) != 2):
                raise self._wrong(f"{name} is not int64 (N,)")
            if layout.shard[1] != self.worlds:
                raise self._wrong(f"{name} is of {layout.shard[1]} worlds, images of {self.worlds}")

    @property
    def names(self) -> list[str]:
        """The names of the arrays."""
        return ["images", "episode", *(f"factors/{name}" for name in self.facts["factors"])]

    @property
    def committed(self) -> int:
        """The number of committed steps."""
        return self.facts["committed"]

    @property
    def worlds(self) -> int:
        """The number of worlds."""
        return self.layouts["images"].shard[1]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        height, width = self.layouts["images"].shard[2:4]
        return height, width

    def refresh(self) -> int:
        """Reads the facts again and returns how many steps are committed by now."""
        text = self._read("zarr.json")
        if text == self._document_read:  # in which the state of many worlds may take milliseconds to parse
            return self.committed
        facts = self._parsed("zarr.json", text).get("attributes")
        if not isinstance(facts, dict) or "format" not in facts:
            raise self._wrong("is no recording of ours; make one with python -m streams.record or streams.importing")
        if facts["format"] != FORMAT:
            raise self._wrong(f"has format {facts['format']}, and this version reads {FORMAT}")
        for name, kind in FACTS.items():
            if type(facts.get(name)) is not kind or (name in COUNTS and not 0 <= facts[name] < 2**53):
                raise self._wrong(f"says {name}={facts.get(name)!r}, which is no {kind.__name__}; it was altered")
        if not all(isinstance(name, str) and NAME.fullmatch(name) for name in facts["factors"]):
            raise self._wrong(f"says factors={facts['factors']}, which are no names; it was altered")
        self.facts, self._document_read = facts, text
        return self.committed

    def gather(self, steps: np.ndarray, worlds: np.ndarray, *, names: list[str] | None = None) -> dict[str, np.ndarray]:
        """Returns the arrays' rows (m, ...) at steps (m,) and worlds (m,), in that order; each chunk is read once.

        Raises SettingError: what was stored is damaged, with the name of the file and chunk.
        """
        return {name: self._rows(self.layouts[name], steps, worlds) for name in names or self.names}

    def span(self, first: int, past: int, name: str) -> np.ndarray:
        """Returns one array (past - first, N, ...) from a step to another. Raises SettingError as `gather`."""
        layout = self.layouts[name]
        length, rows = layout.shard[0], np.empty((past - first, *layout.shard[1:]), layout.kind)
        for shard in range(first // length, -(-past // length)):
            begin, end = max(first, shard * length), min(past, (shard + 1) * length)
            with self._sound(layout, shard) as file:
                decode_steps(layout, file, begin - shard * length, rows[begin - first : end - first])
        return rows

    def _rows(self, layout: Layout, steps: np.ndarray, worlds: np.ndarray) -> np.ndarray:
        rows = np.empty((len(steps), *layout.shard[2:]), layout.kind)
        shards, inside = np.divmod(steps, layout.shard[0])
        times, t = np.divmod(inside, layout.chunk[0])
        sides, w = np.divmod(worlds, layout.chunk[1])
        numbers = times * layout.grid[1] + sides
        order = np.lexsort((steps, worlds, numbers, shards))
        for shard, members in _groups(shards, order):
            of_chunk = dict(_groups(numbers, members))
            with self._sound(layout, shard) as file:
                for number, chunk in decode(layout, file, np.fromiter(of_chunk, np.int64)):
                    _fill(rows, of_chunk[number], chunk, t, w)
        return rows

    @contextmanager
    def _sound(self, layout: Layout, shard: int) -> Iterator[BinaryIO]:
        """The open file of a shard; where that is missing or not what was written, the error is a SettingError."""
        try:
            with self.folder.open(layout.key(shard)) as file:
                yield file
        except (Damaged, FileNotFoundError) as error:
            what = str(error) if isinstance(error, Damaged) else "the file is missing"
            raise SettingError(
                f"{self.path}/{layout.key(shard)} is damaged: {what}; "
                f"python -m streams.check {self.path} says how much is sound"
            ) from None

    def _layout(self, name: str) -> Layout:
        try:
            layout, length = layout_of(name, self._parsed(f"{name}/zarr.json", self._read(f"{name}/zarr.json")))
        except SettingError:
            raise
        except ValueError as error:
            raise self._wrong(f"{name} {error}") from None
        if length < self.committed:
            raise self._wrong(f"{name} has {length} steps, and {self.committed} are said to be committed")
        return layout

    def _read(self, key: str) -> bytes:
        try:
            return read(self.folder, key)
        except FileNotFoundError:
            if key == "zarr.json":
                raise self._wrong("is no recording; make one with python -m streams.record") from None
            raise self._wrong(f"lacks {key}; it is damaged") from None
        except (NotADirectoryError, PermissionError) as error:
            raise self._wrong(f"can't be read ({error.strerror})") from None

    def _parsed(self, key: str, text: bytes) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise self._wrong(f"has a {key} that is no JSON; it is damaged") from None
        if not isinstance(value, dict):
            raise self._wrong(f"has a {key} that is no object; it is damaged")
        return value

    def _wrong(self, what: str) -> SettingError:
        return SettingError(f"{self.setting}={self.path} {what}")


def _groups(values: np.ndarray, order: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Each value with the places it has, of those that `order` (m,) lists so that equal ones follow each other."""
    ordered = values[order]
    edges = np.flatnonzero(np.diff(ordered)) + 1
    return [(int(values[part[0]]), part) for part in np.split(order, edges)] if len(order) else []


def _fill(rows: np.ndarray, members: np.ndarray, chunk: np.ndarray, t: np.ndarray, w: np.ndarray) -> None:
    """rows[members] = chunk[t[members], w[members]]; by slices, half the copying, where a world plays in order."""
    first, last, count = members[0], members[-1], len(members)
    stride = (last - first) // max(count - 1, 1)
    if (
        stride > 0
        and w[first] == w[last]
        and t[last] - t[first] == count - 1
        and np.array_equal(members, first + stride * np.arange(count))
        and np.array_equal(t[members], t[first] + np.arange(count))
    ):
        rows[first : last + 1 : stride] = chunk[t[first] : t[last] + 1, w[first]]
    else:
        rows[members] = chunk[t[members], w[members]]
