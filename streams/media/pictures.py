"""Decodes picture files by other processes, ahead of time.

By processes and not by threads: for a small picture Pillow spends more time in Python than in decoding, and threads
would wait for each other.
"""

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import repeat
from typing import NamedTuple

import numpy as np
from PIL import Image

from envs.errors import SettingError
from envs.images.decoding import picture, shown
from streams.process.versions import cpus

TOGETHER, SLOT_BYTES = 64, 1 << 22  # pictures that are handed over at once, unless they are larger
FEW = 4  # times as many are decoded before a process would have begun
AHEAD = 2  # times as many are decoded by each process while others are taken
OR_SKIP = "or set skip_broken=true to pass over such files"


class Part(NamedTuple):
    """Some pictures, decoded together."""

    images: np.ndarray  # (s, H, W, 3) uint8, fitted
    rows: list[int]  # which of the files each is
    changes: list[tuple[int, str]]  # what was done to which file beyond decoding
    broken: list[tuple[int, str]]  # files that are left out, and why


def decoded(files: list[str], *, size: int, skip_broken: bool = False) -> Iterator[Part]:
    """Yields the pictures in this order, s at a time; s divides TOGETHER but for the last, and torn ones are none.

    Raises SettingError: one can't be read, with its name, or is of another size, once those before its s were taken.
    """
    together = min(TOGETHER, 1 << max(1, SLOT_BYTES // _bytes_of_one(files, size, skip_broken)).bit_length() - 1)
    parts = [(first, files[first : first + together], size, skip_broken) for first in range(0, len(files), together)]
    workers = min(cpus(), 8)
    if len(files) <= FEW * TOGETHER or workers == 1:
        yield from (_decode(*part) for part in parts)
        return
    try:
        with _processes(workers) as pool:
            jobs = deque(pool.submit(_decode, *part) for part in parts[: AHEAD * workers])
            for coming in (*parts[AHEAD * workers :], *repeat(None, len(jobs))):
                part = jobs.popleft().result()
                if coming:
                    jobs.append(pool.submit(_decode, *coming))
                yield part
    except BrokenProcessPool:
        raise SettingError("can't be decoded, as a process that did it was killed; is there memory enough?") from None


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """`count` processes that ignore Ctrl-C from their start on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    ignoring = signal.SIGINT, signal.SIG_IGN  # a process that is spawned does not inherit the mask
    pool = ProcessPoolExecutor(count, initializer=signal.signal, initargs=ignoring)
    try:
        pool.submit(int).result()  # the first task starts all of them
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield pool
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        pool.shutdown(cancel_futures=True)


def _bytes_of_one(files: list[str], size: int, skip_broken: bool) -> int:
    """Bytes of the first picture that can be decoded, fitted."""
    for file in files:
        try:
            return fitted(picture(file), size).size
        except SettingError as error:
            if not skip_broken:
                raise SettingError(f"{error}, {OR_SKIP}") from None
    return 1


def _decode(first: int, files: list[str], size: int, skip_broken: bool) -> Part:
    """Files of which the first is number `first` of all."""
    images, rows, changes, broken = [], [], [], []
    for row, file in enumerate(files, first):
        try:
            frame = shown(file)
        except SettingError as error:
            if not skip_broken:
                raise SettingError(f"{error}, {OR_SKIP}") from None
            broken.append((row, str(error)))
            continue
        images.append(frame.pixels)
        rows.append(row)
        changes += [(row, change) for change in frame.changes]
    return Part(stacked(images, size=size) if images else np.empty((0, 0, 0, 3), np.uint8), rows, changes, broken)


def stacked(images: Iterable[np.ndarray], *, size: int) -> np.ndarray:
    """Images (H, W, 3) as one array (s, H, W, 3), fitted. Raises SettingError: they are of more sizes than one."""
    images = [fitted(image, size) for image in images]
    check_sizes(*images)
    return np.stack(images)


def check_sizes(first: np.ndarray, *others: np.ndarray) -> None:
    """Raises SettingError, whose message the caller completes with the setting, where sizes differ."""
    for image in others:
        if image.shape[-3:-1] != first.shape[-3:-1]:
            (height, width), (high, wide) = first.shape[-3:-1], image.shape[-3:-1]
            way = f"try size={min(height, width, high, wide)}"
            raise SettingError(f"mixes sizes, {width}x{height} and {wide}x{high}; {way}")


def fitted(image: np.ndarray, size: int) -> np.ndarray:
    """An image (H, W, 3), where a size is asked for resized to it along its shorter edge and cut to the middle."""
    height, width = image.shape[:2]
    if not size or (height, width) == (size, size):
        return image
    short = min(height, width)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, box=box))
