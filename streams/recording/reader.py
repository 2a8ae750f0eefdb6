"""Reads recordings: their facts, checked before they are believed, and frames by step and world."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from textwrap import shorten
from typing import Any, BinaryIO

import numpy as np

from envs.errors import SettingError
from streams.recording.checksum import Damaged, crc32c, record_checksum
from streams.recording.codec import Layout, decode, decode_steps, document, layout_of
from streams.recording.storage import Folder, open_folder, read

FORMAT, UNSEALED = "contiguity-stream/2", "contiguity-stream/1"  # today's, and that of recordings until November 2026
FACTS = {"committed": int, "episodes": int, "factors": list, "env": dict, "seed": int, "gaze": str}
SEALED_FACTS = {"id": str, "arrays": dict, "checksum": str}
COUNTS = ("committed", "episodes")
MOST_MISSING = 1000  # shards that a recording may lack at its end; where it says to have more, it is not believed
MARK, COPY = "zarr.json", "factors/zarr.json"  # the commit record, and the group that keeps it once more
INTEGERS = ("episode", "factors/category", "factors/phase")  # which memories and probes count by
ALTERED = "it was altered; python -m streams.check says what can be mended"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class Recording:
    """Frames of N worlds over time, as far as they are committed.

    Of what it says of itself (FACTS), `committed` is how many steps there are, and `episodes` one more than the highest
    episode number: as many as there are or more, since worlds number theirs apart and need not get equally far.
    `python -m streams.check` counts them. `id` is its own, which a copy shares.

    Nothing of it is trusted: it is JSON and compressed numbers, its files lie inside its folder, its commit record has
    a checksum, each shard a seal (`streams.recording.codec`), and what is not as `streams.record` would have written it
    is refused. Recordings of format 1 have neither, so that exchanged files are not noticed there.

    Args:
        setting: what the messages call the path.
        facts: the commit record, where the one in the folder is not to be read.

    Raises SettingError: there is none, or it is of another format, or contradicts itself.
    """

    def __init__(self, path: str, *, setting: str = "stream.path", facts: dict[str, Any] | None = None):
        self.path, self.setting = path, setting
        self.folder: Folder = open_folder(path, setting=setting)
        self.facts: dict[str, Any] = {}
        self._document_read: bytes | None = None  # the document that the facts are from
        if facts:
            self.facts = self._checked(facts)
        else:
            self.refresh()
        self.layouts = {name: self._layout(name, believed=facts is not None) for name in self.names}
        images = self.layouts["images"]
        if images.kind != "uint8" or len(images.shard) != 5 or images.shard[4] != 3:
            raise self._wrong(f"images are {images.kind} {images.shard[1:]}, and not uint8 (N, H, W, 3)")
        for name, layout in self.layouts.items():
            if name in INTEGERS and (layout.kind != "int64" or len(layout.shard) != 2):
                raise self._wrong(f"{name} is not int64 (N,)")
            if layout.shard[1] != self.worlds:
                raise self._wrong(f"{name} is of {layout.shard[1]} worlds, images of {self.worlds}")
        self._check_length()

    @property
    def names(self) -> list[str]:
        """The names of the arrays."""
        return ["images", "episode", *(f"factors/{name}" for name in self.facts["factors"])]

    @property
    def categories(self) -> list[str]:
        """What its categories are called, in the order of their numbers; empty where nobody said."""
        names = self.facts.get("categories") or self.facts.get("source", {}).get("categories")
        return [str(name) for name in names] if isinstance(names, list) else []

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

    @property
    def sealed(self) -> bool:
        """Whether its files say where they belong: those of format 1 do not."""
        return self.facts["format"] == FORMAT

    @cached_property
    def identity(self) -> str:
        """What tells it from other recordings: its id, or of format 1 what it shows and how it was made."""
        if self.sealed:
            return self.facts["id"]
        about = {name: self.facts[name] for name in ("env", "seed", "gaze", "factors")}
        begins = crc32c(self.span(0, min(1, self.committed), "images").tobytes())
        return f"{record_checksum(about)}{begins:08x}"

    def masked(self, steps: np.ndarray, worlds: np.ndarray) -> np.ndarray:
        """Whether each frame (m,) at steps (m,) and worlds (m,) was damaged once and is black since."""
        inside = np.zeros(len(steps), bool)
        for first, past, world, worlds_past in self.facts.get("masked", []):
            inside |= (first <= steps) & (steps < past) & (world <= worlds) & (worlds < worlds_past)
        return inside

    def refresh(self) -> int:
        """Reads the facts again and returns how many steps are committed by now."""
        text = self._read(MARK)
        if text == self._document_read:  # in which the state of many worlds may take milliseconds to parse
            return self.committed
        facts = self._parsed(MARK, text).get("attributes")
        if not isinstance(facts, dict) or "format" not in facts:
            raise self._wrong("is no recording of ours; make one with python -m streams.record or streams.importing")
        self.facts, self._document_read = self._checked(facts), text
        return self.committed

    def _checked(self, facts: dict[str, Any]) -> dict[str, Any]:
        """The facts, which can be believed as far as their format can tell."""
        if facts["format"] not in (FORMAT, UNSEALED):
            raise self._wrong(f"has format {facts['format']}, and this version reads {FORMAT}")
        for name, kind in (FACTS | (SEALED_FACTS if facts["format"] == FORMAT else {})).items():
            if type(facts.get(name)) is not kind or (name in COUNTS and not 0 <= facts[name] < 2**53):
                raise self._wrong(f"says {name}={shortened(facts.get(name))}, which is no {kind.__name__}; {ALTERED}")
        if not all(isinstance(name, str) and NAME.fullmatch(name) for name in facts["factors"]):
            raise self._wrong(f"says factors={shortened(facts['factors'])}, which are no names; {ALTERED}")
        if facts["format"] == FORMAT and facts["checksum"] != record_checksum(facts):
            raise self._wrong(f"has a commit record (zarr.json) whose checksum is wrong; {ALTERED}")
        if not isinstance(facts.get("source", {}), dict):
            raise self._wrong(f"says source={shortened(facts['source'])}, which is no dict; {ALTERED}")
        if not isinstance(facts.get("categories", []), list):
            raise self._wrong(f"says categories={shortened(facts['categories'])}, which is no list; {ALTERED}")
        masked = facts.get("masked", [])
        if not isinstance(masked, list) or not all(map(_is_part, masked)):
            raise self._wrong(f"says masked={shortened(masked)}, which are no parts of it; {ALTERED}")
        if self.facts and facts.get("id") != self.facts.get("id"):
            raise self._wrong("is another recording than before; it was exchanged")
        return facts

    def _check_length(self) -> None:
        """Raises SettingError where many more steps are said to be committed than there are files of."""
        length = self.layouts["images"].shard[0]
        needed = -(-self.committed // length)
        there = [int(name) for name in self.folder.names("images/c") if name.isdecimal() and len(name) < 16]
        if needed > max(there, default=-1) + 1 + MOST_MISSING:
            raise self._wrong(f"says committed={self.committed}, and has files of {len(there) * length}; {ALTERED}")

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
                out, steps = rows[begin - first : end - first], self.steps_of(shard)
                decode_steps(layout, file, begin - shard * length, out, number=shard, steps=steps)
        return rows

    def steps_of(self, shard: int) -> int:
        """How many steps of a shard are committed."""
        length = self.layouts["images"].shard[0]
        return min(self.committed - shard * length, length)

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
                chunks, needed = np.fromiter(of_chunk, np.int64), self.steps_of(shard)
                for number, chunk in decode(layout, file, chunks, number=shard, steps=needed):
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

    def _layout(self, name: str, *, believed: bool) -> Layout:
        """The layout of an array, by its zarr.json, or by the commit record where that alone is `believed`."""
        key, own = f"{name}/zarr.json", self.facts.get("id", "")
        try:
            described = layout_of(name, self._parsed(key, self._read(key)), recording=own) if not believed else None
            layout, length = described or self._recorded_layout(name)
            if self.sealed and described and layout != self._recorded_layout(name)[0]:
                raise ValueError(f"is described otherwise by {key} than by the commit record")
        except SettingError:
            raise
        except ValueError as error:
            raise self._wrong(f"{name} {error}") from None
        if length < self.committed:
            raise self._wrong(f"{name} has {length} steps, and {self.committed} are said to be committed")
        return layout

    def _recorded_layout(self, name: str) -> tuple[Layout, int]:
        """The layout of an array by the commit record, and its length. Raises ValueError where it is none."""
        try:
            of = self.facts["arrays"][name]
            layout = Layout(name, of["type"], tuple(of["shard"]), tuple(of["chunk"]), self.facts["id"])
            return layout_of(name, document(layout, self.committed), recording=layout.recording)
        except (KeyError, TypeError, IndexError, ZeroDivisionError):
            raise ValueError("has no layout in the commit record") from None

    def _read(self, key: str) -> bytes:
        try:
            return read(self.folder, key)
        except FileNotFoundError:
            if key == MARK:
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


def record_in(folder: Folder, key: str) -> dict[str, Any] | None:
    """The commit record in a zarr.json, where its checksum is right, or where it is of format 1, which has none."""
    try:
        facts = json.loads(read(folder, key))["attributes"]
        sound = facts["format"] == UNSEALED or facts["checksum"] == record_checksum(facts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SettingError):
        return None
    return facts if sound else None


def _is_part(part: Any) -> bool:
    """Whether it can be a part of a recording: the first step and the one past the last, and likewise of worlds."""
    return isinstance(part, list) and len(part) == 4 and all(type(number) is int for number in part)


def shortened(value: Any) -> str:
    """A value of a file for a message."""
    return shorten(repr(value), 80)


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
