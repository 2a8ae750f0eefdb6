"""Lists and decodes picture files and videos; pictures by other processes, ahead of time.

By processes and not by threads: for a small picture Pillow spends more time in Python than in decoding, and threads
would wait for each other.
"""

import math
import os
import re
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import numpy as np
from PIL import Image

from envs.errors import SettingError
from envs.images.pictures import picture
from streams.process.versions import cpus

TOGETHER, SLOT_BYTES = 64, 1 << 22  # pictures that are handed over at once, unless they are larger
FEW = 4  # times as many are decoded before a process would have begun
AHEAD = 2  # times as many are decoded by each process while others are taken
_SLOTS: np.ndarray  # of a process that decodes, and the size of pictures
_SIZE: int


def files_of(where: Path, suffixes: tuple[str, ...]) -> list[str]:
    """The files of these kinds in a folder and those below it, frame2 before frame10.

    As plain strings: of a hundred thousand files a Path each would take longer than the first pictures.
    """
    return [
        f"{folder}/{name}"
        for folder, _, names in sorted(os.walk(where), key=lambda entry: _natural(entry[0]))
        for name in sorted((name for name in names if name.lower().endswith(suffixes)), key=_natural)
    ]


def decoded(files: list[str], *, size: int) -> Iterator[np.ndarray]:
    """Yields the pictures in this order, fitted, (s, H, W, 3) at a time; s divides TOGETHER but for the last.

    Raises SettingError: one can't be read, with its name, or is of another size, once those before its s were taken.
    """
    shape = fitted(picture(files[0]), size).shape
    together = min(TOGETHER, 1 << max(1, SLOT_BYTES // math.prod(shape)).bit_length() - 1)
    parts = [files[first : first + together] for first in range(0, len(files), together)]
    workers = min(cpus(), 8)
    if len(files) <= FEW * TOGETHER or workers == 1:
        yield from (_decode(part, size) for part in parts)
        return
    try:
        with _processes(workers) as pool:
            jobs = deque(pool.submit(_decode, part, size) for part in parts[: AHEAD * workers])
            for coming in (*parts[AHEAD * workers :], *repeat(None, len(jobs))):
                images = jobs.popleft().result()
                if coming:
                    jobs.append(pool.submit(_decode, coming, size))
                yield images
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


def _decode(files: list[str], size: int) -> np.ndarray:
    """Pictures (s, H, W, 3), fitted."""
    return stacked([picture(file) for file in files], size=size)


def video_frames(file: str, *, every: int) -> Iterator[tuple[int, np.ndarray]]:
    """Every `every`-th frame (H, W, 3) of a video, with its number.

    Raises SettingError: it can't be read, or has no frames.
    """
    try:
        import av
    except ImportError:
        raise SettingError("needs PyAV; pip install 'contiguity[video]'") from None
    number = -1
    try:
        with av.open(file) as container:
            if container.streams.video[0].codec_context is None:  # its header is torn: decoding would crash
                raise OSError("its codec is unknown")
            container.streams.video[0].thread_type = "AUTO"
            for number, frame in enumerate(container.decode(video=0)):
                if number % every == 0:
                    yield number, frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError, OSError) as error:
        raise SettingError(f"can't be read as a video ({error}); mend or remove it") from None
    if number < 0:
        raise SettingError("is a video with no frames; remove it")


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


def _natural(name: str) -> list:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
