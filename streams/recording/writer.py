"""Writes a recording: shard by shard in the background, arrays first, the commit mark last; one writer at a time."""

import hashlib
import json
import shlex
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor

from envs.errors import SettingError
from streams.process.terminal import Terminal
from streams.process.versions import versions
from streams.recording.checksum import record_checksum
from streams.recording.codec import Layout, document, encode, layouts
from streams.recording.reader import COPY, FORMAT, MARK, Recording
from streams.recording.storage import open_folder
from streams.recording.verify import verify
from streams.types import Frames

UNCOMMITTED = {"images", "episode", "factors", "zarr.json.tmp"}  # what a writer killed before its first mark leaves
FILES_AT_ONCE = 8
BEHIND = 2  # commits in the background: one is packed, one is put on the disk


class Commit(NamedTuple):
    """The files of a commit, in the order in which they are written; `facts` are the mark."""

    shards: dict[str, bytes]
    documents: dict[str, bytes]
    facts: dict[str, Any]


class Writer:
    """The recording at `path`, which this process alone writes. Its facts are explained in Recording.

    `about` identifies the stream: `env` (the world's settings), `seed` and `gaze`. A step that was added lasts once a
    commit of it has returned, and readers see it only then.
    """

    def __init__(self, path: str, about: dict[str, Any], *, setting: str):
        self.path, self.setting, self.about = path, setting, about
        self.step = 0  # of the next frames
        self._folder = open_folder(path, setting=setting)
        self._lock: ExitStack | None = None
        self._facts: dict[str, Any] | None = None  # as last packed
        self._layouts: dict[str, Layout] = {}
        self._blocks: list[dict[str, Tensor]] = []  # (steps, N, ...) of the last shard, written or not
        self._held = 0  # steps of them
        self._given = 0  # steps given to the background
        self._packing, self._placing = ThreadPoolExecutor(1, "packing"), ThreadPoolExecutor(1, "placing")
        self._disk = ThreadPoolExecutor(FILES_AT_ONCE, "files")
        self._pending: deque[Future] = deque()  # commits that are not on the disk yet

    def open(self, *, fresh: bool = False, cut_to: int | None = None, state: Any = None) -> dict[str, Any] | None:
        """Takes the lock, and cuts the recording back to its mark, or to `cut_to` steps with `state`.

        Returns:
            The facts of the recording; None where there is none yet.

        Raises:
            SettingError: another process writes it; it is no recording, or of another stream; there is one and `fresh`
                asks for none; it is shorter than `cut_to`.
        """
        self._lock = self._folder.lock()
        names = set(self._folder.names(""))
        if MARK not in names:
            if names - UNCOMMITTED:
                raise self._wrong(f"is a folder of other things ({', '.join(sorted(names)[:3])})")
            if cut_to:
                raise self._wrong(f"is gone, and the run has recorded {cut_to} steps to it; begin a new run")
            return None
        there = Recording(self.path, setting=self.setting)
        if fresh and there.committed:
            raise self._wrong(f"holds {there.committed} steps already")
        known, own = ({**one["env"], "seed": one["seed"], "gaze": one["gaze"]} for one in (there.facts, self.about))
        differences = [name for name in sorted({*known, *own}) if known.get(name) != own.get(name)]
        if differences:
            each = (f"{name}: {known.get(name)} there, {own.get(name)} asked for" for name in differences)
            raise self._wrong(f"holds another stream ({'; '.join(each)})")
        if cut_to is not None and cut_to > there.committed:
            raise self._wrong(f"holds {there.committed} steps, but the run has recorded {cut_to}; begin a new run")
        steps = there.committed if cut_to is None else cut_to
        if faults := verify(there, console=Terminal(), past=steps).faults:
            raise SettingError(
                f"{self.setting}={self.path} is damaged, and is not gone on with ({len(faults)} chunks; "
                f"{faults[0].text}); python -m streams.check {shlex.quote(self.path)} repair=true mends it"
            )
        self._go_on(there, steps, state)
        return self._facts

    @property
    def full(self) -> bool:
        """Whether a whole shard waits to be committed."""
        return bool(self._layouts) and self._held == self._layouts["images"].shard[0]

    @property
    def room(self) -> int:
        """How many steps fit into the present shard; 0 where that is not known before the first step."""
        return self._layouts["images"].shard[0] - self._held if self._layouts else 0

    def add(self, frames: Frames) -> None:
        """Adds the next step; its tensors are kept until they are written, and must not be changed."""
        self.extend({name: row[None] for name, row in rows_of(frames).items()})

    def extend(self, block: dict[str, Tensor]) -> None:
        """Adds the next steps (s, N, ...) of every array; a shard may not end inside of them."""
        shapes = {name: (str(rows.dtype).removeprefix("torch."), tuple(rows.shape[1:])) for name, rows in block.items()}
        known = self._layouts
        assert not known or shapes == {name: (known[name].kind, known[name].shard[1:]) for name in known}
        self._layouts = known or layouts(shapes, recording=id_of(self.about, block["images"][0]))
        self._blocks.append(block)
        self._held, self.step = self._held + len(block["episode"]), self.step + len(block["episode"])
        assert self._held <= self._layouts["images"].shard[0]

    def commit(self, state: Any = None, *, wait: bool = True) -> None:
        """Commits every step so far, with the state (plain data) from which the source would go on.

        Raises OSError: no room, or the disk failed; what was committed before is untouched.
        """
        while len(self._pending) >= BEHIND:
            self._settle()
        if self.step > self._given:
            packed = self._packing.submit(self._pack, self.step - self._held, list(self._blocks), state)
            before = self._pending[-1] if self._pending else None
            self._pending.append(self._placing.submit(self._place, packed, before))
            self._given = self.step
            if self.full:
                self._blocks, self._held = [], 0
        while wait and self._pending:
            self._settle()

    def _settle(self) -> None:
        """Waits for the oldest pending commit; one that failed stays, so that all later ones fail too."""
        self._pending[0].result()
        self._pending.popleft()

    def close(self) -> None:
        """Releases the lock. What was not committed is lost."""
        for threads in (self._packing, self._placing, self._disk):
            threads.shutdown()
        if self._lock:
            self._lock.close()

    def _pack(self, first: int, blocks: list[dict[str, Tensor]], state: Any) -> Commit:
        factors = [name.removeprefix("factors/") for name in self._layouts if name.startswith("factors/")]
        facts = (self._facts or {"format": FORMAT, "episodes": 0, "factors": factors}) | self.about
        total, shards = first + sum(len(block["episode"]) for block in blocks), {}
        for name, layout in self._layouts.items():
            steps = torch.cat([block[name] for block in blocks]).cpu().numpy()
            number = first // layout.shard[0]
            shards[layout.key(number)] = encode(layout, steps, number=number)
            if name == "episode":
                facts |= {"episodes": max(facts["episodes"], int(steps.max()) + 1)}
        documents = {key: text for of in self._layouts.values() for key, text in document_of(of, total).items()}
        if not self._facts:
            arrays = {
                name: {"type": of.kind, "shard": of.shard, "chunk": of.chunk} for name, of in self._layouts.items()
            }
            facts |= {"id": self._layouts["images"].recording, "versions": versions(), "arrays": arrays}
        self._facts = facts | {"committed": total, "state": state}
        return Commit(shards, documents, self._facts)

    def _place(self, packed: Future, before: Future | None) -> None:
        """Puts a commit where readers see it: only after the one before it, and not at all if that failed."""
        if before:
            before.result()
        commit = packed.result()
        try:
            self._put(commit.shards)
            mark = records_of(commit.facts)
            self._put(commit.documents | {key: text for key, text in mark.items() if key != MARK})
            self._folder.put(MARK, mark[MARK])
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), self.path) from error

    def _go_on(self, there: Recording, steps: int, state: Any) -> None:
        self._facts, self._layouts, self.step, self._given = there.facts, there.layouts, steps, steps
        if steps < there.committed:
            self._facts = there.facts | {"committed": steps, "state": state}
            for key, text in records_of(self._facts).items():
                self._folder.put(key, text)
        length = self._layouts["images"].shard[0]
        self._put({key: text for of in there.layouts.values() for key, text in document_of(of, steps).items()})
        for layout in there.layouts.values():  # removes later shards, and what a killed writer left half written
            for number in filter(str.isdigit, self._folder.names(f"{layout.name}/c")):
                place = layout.key(int(number)).rpartition("/")[0]
                for name in self._folder.names(place):
                    if int(number) > (steps - 1) // length or name.endswith(".tmp"):
                        self._folder.remove(f"{place}/{name}")
        first = steps // length * length
        if steps > first:
            self._blocks = [{name: torch.from_numpy(there.span(first, steps, name)) for name in there.names}]
            self._held = steps - first

    def _put(self, files: dict[str, bytes]) -> None:
        """Writes files at once, since a disk flushes many in the time that it takes for one."""
        list(self._disk.map(self._folder.put, files, files.values()))

    def _wrong(self, what: str) -> SettingError:
        return SettingError(f"{self.setting}={self.path} {what}; choose another path")


def id_of(about: dict[str, Any], images: Tensor) -> str:
    """The id of a new recording, by what it is about and its first step (N, H, W, 3): begun again, it is the same."""
    begins = images.cpu().numpy().tobytes()
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode() + begins).hexdigest()[:16]


def check_free(path: str, *, setting: str) -> None:
    """Raises SettingError where a new recording cannot begin."""
    folder = open_folder(path, setting=setting)
    names = set(folder.names(""))
    if MARK in names:
        raise SettingError(f"{setting}={path} holds a recording already; remove it, or choose another path")
    if names - UNCOMMITTED:
        things = ", ".join(sorted(names - UNCOMMITTED)[:3])
        raise SettingError(f"{setting}={path} is a folder of other things ({things}); choose another path")
    if folder.being_written:
        raise SettingError(f"{setting}={path} is being written by another process; choose another path")


def rows_of(frames: Frames) -> dict[str, Tensor]:
    """One step (N, ...) of every array."""
    factors = {f"factors/{name}": value for name, value in frames.factors.items()}
    return {"images": frames.images, "episode": frames.episode, **factors}


def records_of(facts: dict[str, Any]) -> dict[str, bytes]:
    """The files that say what is committed: the mark, with a checksum over all of it, and its copy.

    In format 1 there is neither checksum nor copy.
    """
    if facts["format"] != FORMAT:
        return {MARK: _group(facts)}
    text = _group(facts | {"checksum": record_checksum(facts)})
    return {MARK: text, COPY: text}


def document_of(layout: Layout, steps: int) -> dict[str, bytes]:
    """The file that describes an array at a length of `steps`."""
    return {f"{layout.name}/zarr.json": _json(document(layout, steps))}


def _group(attributes: dict[str, Any]) -> bytes:
    return _json({"zarr_format": 3, "node_type": "group", "attributes": attributes})


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
