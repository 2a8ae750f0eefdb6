"""Mends a recording: what is damaged is made again from where it came, or cut off or masked, as the user chooses.

A live world is a function of its seed, so its steps are rendered again; an import takes its frames from its source
again. Either is done only where all that is sound comes out as it was recorded, to the bit.
"""

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from envs.devices import device as device_of
from envs.errors import Needs, SettingError, unknown
from envs.settings import checked, make_world, world
from streams.importing import ImportSettings, blocks
from streams.live import Live
from streams.process.progress import Bar
from streams.recording.codec import decode, decode_steps, encode
from streams.recording.reader import COPY, MARK, Recording, record_in
from streams.recording.storage import open_folder, read
from streams.recording.verify import Fault, Verification, verify
from streams.recording.writer import document_of, records_of, rows_of

OTHERWISE = ("keep", "cut", "mask")


@dataclass
class RepairSettings:
    """Settings of the command beside the path."""

    needs: ClassVar[Needs] = dict.fromkeys(("otherwise", "source", "device"), ("repair", (True,)))

    repair: bool = False  # mend what is damaged
    otherwise: str = "keep"  # what can't be made again: keep it as it is, cut the recording before it, or mask it
    source: str = ""  # where an import's pictures are now, if not where they were
    device: str = "auto"  # that renders a world again: cpu, cuda, ..., or auto: cuda where there is one


def repair(path: str, settings: RepairSettings, *, console: Console) -> tuple[list[str], bool]:
    """Mends the recording at a path.

    Returns:
        What was done, a line each, and whether the recording is sound now.

    Raises SettingError: no recording, one whose commit record is lost, or one that is being written.
    """
    if settings.otherwise not in OTHERWISE:
        raise unknown("otherwise", settings.otherwise, OTHERWISE)
    folder = open_folder(path, setting="path")
    done: list[str] = []
    with closing(folder.lock()):
        recording, looked = _believed(path, console)
        for key, text in _documents(recording).items():
            if not _same(folder, key, text):
                folder.put(key, text)
                done.append(f"{key} written again")
        if looked.faults:
            try:
                done += _made_again(recording, looked.faults, settings, console)
            except SettingError as error:
                done.append(f"{len(looked.faults)} damaged chunks can't be made again: {error}")
            looked = verify(recording)
        if looked.faults and settings.otherwise == "keep":
            first = f"the first {looked.sound_steps:,} steps are sound"
            done.append(f"{first}; otherwise=cut ends the recording there, otherwise=mask blackens what is damaged")
        elif looked.faults:
            done.append((_cut if settings.otherwise == "cut" else _masked)(recording, looked.faults))
    return done, not looked.faults or settings.otherwise != "keep"


def _believed(path: str, console: Console) -> tuple[Recording, Verification]:
    """The recording by its commit record, or by the copy where that is lost or is another recording's.

    Raises SettingError: neither is sound and fits any of the files.
    """
    folder, sealed_elsewhere = open_folder(path, setting="path"), False
    for facts in filter(None, (record_in(folder, key) for key in (MARK, COPY))):
        recording = Recording(path, setting="path", facts=facts)
        looked = verify(recording, console=console)
        if len(looked.faults) < looked.chunks or not looked.stored:
            return recording, looked
        sealed_elsewhere = True
    if sealed_elsewhere:
        raise SettingError(f"path={path} has the commit record of another recording; put its own zarr.json back")
    raise SettingError(
        f"path={path} has no sound commit record (zarr.json), and its copy ({COPY}) is damaged too: nothing can be "
        "mended; record or import it again"
    )


def _documents(recording: Recording) -> dict[str, bytes]:
    """Every zarr.json as it should be."""
    arrays = [document_of(layout, recording.committed) for layout in recording.layouts.values()]
    return {key: text for files in (*arrays, records_of(recording.facts)) for key, text in files.items()}


def _same(folder: Any, key: str, text: bytes) -> bool:
    """Whether a JSON file says what it should."""
    try:
        return json.loads(read(folder, key)) == json.loads(text)
    except (OSError, ValueError, RecursionError):
        return False


def _made_again(recording: Recording, faults: list[Fault], settings: RepairSettings, console: Console) -> list[str]:
    """Puts each damaged file there anew. Raises SettingError: where it came from gives other frames now."""
    length = recording.layouts["images"].shard[0]
    hurt = {(fault.array, fault.shard) for fault in faults}
    past = min((max(shard for _, shard in hurt) + 1) * length, recording.committed)
    bad = {(fault.array, *fault.steps) for fault in faults}
    shards, done = _in_shards(_origin(recording, settings), length, past), []
    with Bar(console, done=0, total=past * recording.worlds) as bar:
        for shard, arrays in enumerate(shards):
            for name in recording.layouts:
                if name not in arrays:
                    raise SettingError(f"its source has no {name} now")
                _compare(recording, name, shard, arrays[name], bad)
            for name, layout in recording.layouts.items():
                if (name, shard) in hurt:
                    recording.folder.put(layout.key(shard), encode(layout, arrays[name], number=shard))
                    done.append(f"{layout.key(shard)} made again")
            bar.show(min((shard + 1) * length, past) * recording.worlds, "made again")
    return done


def _compare(recording: Recording, name: str, shard: int, rows: np.ndarray, bad: set[tuple[str, int, int]]) -> None:
    """Raises SettingError where sound steps of an array are not what `rows`, a shard's, say."""
    layout = recording.layouts[name]
    if rows.shape[1:] != layout.shard[1:] or str(rows.dtype) != layout.kind:
        raise SettingError(f"its source gives {name} of {rows.dtype} {rows.shape[1:]} now")
    for first in range(0, recording.steps_of(shard), layout.chunk[0]):
        past, begin = min(first + layout.chunk[0], recording.steps_of(shard)), shard * layout.shard[0]
        if any(one == name and begin + first < b and a < begin + past for one, a, b in bad):
            continue
        there = np.empty_like(rows[first:past])
        with recording.folder.open(layout.key(shard)) as file:
            decode_steps(layout, file, first, there, number=shard)
        if not np.array_equal(there, rows[first:past], equal_nan=rows.dtype.kind == "f"):
            raise SettingError(
                f"{name} comes out otherwise now at steps {begin + first} to {begin + past - 1}, which are sound: "
                "another version, device or source made it"
            )


def _in_shards(steps: Iterator[dict[str, Tensor]], length: int, past: int) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of each shard (steps, N, ...) of the first `past` steps. Raises SettingError: there are fewer."""
    held: list[dict[str, Tensor]] = []
    first = count = 0
    for block in steps:
        held.append(block)
        count += len(block["episode"])
        while count - first >= min(length, past - first) > 0:
            size = min(length, past - first)
            whole = {name: torch.cat([one[name] for one in held]) for name in block}
            yield {name: rows[:size].cpu().numpy() for name, rows in whole.items()}
            held, first = [{name: rows[size:] for name, rows in whole.items()}], first + size
        if first >= past:
            return
    if first < past:
        raise SettingError(f"its source gives {count} steps now, and {past} are needed")


def _origin(recording: Recording, settings: RepairSettings) -> Iterator[dict[str, Tensor]]:
    """Where the frames came from, from its beginning: blocks (s, N, ...) of every array."""
    env, source = recording.facts["env"], recording.facts.get("source")
    if env.get("name") != "imported":
        values = {name: value for name, value in env.items() if name not in ("name", "id")}
        made = make_world(world(env.get("name"), values), device=device_of(settings.device))
        live = Live(made, seed=recording.facts["seed"], gaze=recording.facts["gaze"])
        return ({name: row[None] for name, row in rows_of(frames).items()} for frames in live)
    if not source or "source" not in source:  # a selection of other recordings has `sources`
        raise SettingError("it does not say what it was imported from; import or select it again")
    known = {name: value for name, value in source.items() if name in ImportSettings.__dataclass_fields__}
    known |= {"source": settings.source} if settings.source else {}
    return blocks(checked(ImportSettings, known, prefix=""))


def _cut(recording: Recording, faults: list[Fault]) -> str:
    """Ends the recording before what is damaged."""
    steps = min(fault.steps[0] for fault in faults)
    lost = recording.committed - steps
    _put(recording, records_of(recording.facts | {"committed": steps, "state": None}))
    for layout in recording.layouts.values():
        _put(recording, document_of(layout, steps))
        for shard in range(-(-steps // layout.shard[0]), -(-recording.committed // layout.shard[0])):
            with suppress(FileNotFoundError):
                recording.folder.remove(layout.key(shard))
    return f"the last {lost:,} steps are cut off; the first {steps:,} are sound, and no world goes on from there"


def _masked(recording: Recording, faults: list[Fault]) -> str:
    """Fills what is damaged, and makes each frame of it an episode of its own, so that it is paired with none."""
    length, episodes = recording.layouts["images"].shard[0], recording.facts["episodes"]
    parts = sorted({(*fault.steps, *fault.worlds) for fault in faults})
    counts = [(past - first) * (world_past - world) for first, past, world, world_past in parts]
    begins = episodes + np.cumsum([0, *counts])  # number of the first new episode of each part
    masked = [*recording.facts.get("masked", []), *map(list, parts)]
    _put(recording, records_of(recording.facts | {"episodes": int(begins[-1]), "masked": masked, "state": None}))
    for shard in sorted({fault.shard for fault in faults}):
        own = [fault for fault in faults if fault.shard == shard]
        arrays = {name: _sound_rows(recording, name, shard, own) for name in recording.names}
        for (first, past, *worlds), begin in zip(parts, begins.tolist(), strict=False):
            if first // length == shard:
                area = arrays["episode"][first - shard * length : past - shard * length, slice(*worlds)]
                area[:] = begin + np.arange(area.size).reshape(area.shape)
        for name in {*(fault.array for fault in own), "episode"}:
            layout = recording.layouts[name]
            _put(recording, {layout.key(shard): encode(layout, arrays[name], number=shard)})
    return f"{sum(counts):,} frames are masked: each is an episode of its own, which is paired with none"


def _put(recording: Recording, files: dict[str, bytes]) -> None:
    for key, data in files.items():
        recording.folder.put(key, data)


def _sound_rows(recording: Recording, name: str, shard: int, faults: list[Fault]) -> np.ndarray:
    """The committed steps of a shard of an array, with its fill value where they are damaged."""
    layout, steps = recording.layouts[name], recording.steps_of(shard)
    rows = np.full((steps, *layout.shard[1:]), layout.fill, layout.kind)
    (long, wide), sides = layout.chunk[:2], layout.grid[1]
    hurt = {fault.chunk for fault in faults if fault.array == name}
    sound = [number for number in range(-(-steps // long) * sides) if number not in hurt]
    if sound:
        with recording.folder.open(layout.key(shard)) as file:
            for number, chunk in decode(layout, file, np.array(sound), number=shard):
                time, side = divmod(number, sides)
                part = rows[time * long : (time + 1) * long, side * wide : (side + 1) * wide]
                part[:] = chunk[: len(part)]
    return rows
