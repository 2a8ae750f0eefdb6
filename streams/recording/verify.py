"""Looks at every committed chunk of a recording: which are what was written there, and which are not."""

from typing import BinaryIO, NamedTuple

import numpy as np
from rich.console import Console

from streams.process.progress import Bar
from streams.recording.checksum import Damaged
from streams.recording.codec import Layout, decode
from streams.recording.reader import Recording


class Fault(NamedTuple):
    """A chunk that is not what was written there."""

    array: str
    shard: int  # number of the file
    chunk: int  # number in the file
    steps: tuple[int, int]  # of the recording: the first, and the one past the last
    worlds: tuple[int, int]
    text: str  # the file and what is wrong with it


class Verification(NamedTuple):
    """What was looked at, and what is wrong with it."""

    chunks: int
    stored: int  # bytes of all files
    faults: list[Fault]
    sound_steps: int  # whole steps from the beginning on


def verify(recording: Recording, *, console: Console | None = None, past: int | None = None) -> Verification:
    """Reads every chunk of the steps before `past`, or of all that are committed, with progress on the console."""
    steps, length = recording.committed if past is None else past, recording.layouts["images"].shard[0]
    faults: list[Fault] = []
    stored = chunks = 0
    with Bar(console or Console(quiet=True), done=0, total=steps * recording.worlds) as bar:
        for shard in range(-(-steps // length)):
            for layout in recording.layouts.values():
                times = min(layout.grid[0], -(-(steps - shard * length) // layout.chunk[0]))  # that hold such a step
                numbers = np.arange(times * layout.grid[1])
                own, size = _faults_of(recording, layout, shard, numbers)
                faults, stored, chunks = faults + own, stored + size, chunks + len(numbers)
            bar.show(min((shard + 1) * length, steps) * recording.worlds, "checked")
    return Verification(chunks, stored, faults, min([steps, *(fault.steps[0] for fault in faults)]))


def _faults_of(recording: Recording, layout: Layout, shard: int, numbers: np.ndarray) -> tuple[list[Fault], int]:
    """The faults of a shard of an array, and the size of its file in bytes."""
    try:
        with recording.folder.open(layout.key(shard)) as file:
            wrong, size = _wrong(layout, file, numbers, shard, recording.steps_of(shard)), file.seek(0, 2)
    except FileNotFoundError:
        wrong, size = dict.fromkeys(numbers.tolist(), "is missing"), 0
    return [_fault(recording, layout, shard, number, what) for number, what in wrong.items()], size


def _fault(recording: Recording, layout: Layout, shard: int, number: int, what: str) -> Fault:
    time, side = divmod(number, layout.grid[1])
    first, world = shard * layout.shard[0] + time * layout.chunk[0], side * layout.chunk[1]
    steps, worlds = (first, min(first + layout.chunk[0], recording.committed)), (world, world + layout.chunk[1])
    return Fault(layout.name, shard, number, steps, worlds, f"{recording.path}/{layout.key(shard)} {what}")


def _wrong(layout: Layout, file: BinaryIO, numbers: np.ndarray, shard: int, steps: int) -> dict[int, str]:
    """What is wrong with each damaged chunk: all are decoded at once and, where there is damage, one by one."""
    try:
        for _ in decode(layout, file, numbers, number=shard, steps=steps):
            pass
    except Damaged as error:
        if len(numbers) == 1:
            return {int(numbers[0]): str(error)}
        each = [_wrong(layout, file, own, shard, steps) for own in numbers[:, None]]
        return {number: what for wrong in each for number, what in wrong.items()}
    return {}
