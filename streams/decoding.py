"""Picture files, found and then decoded by other processes ahead of whoever takes them.

By processes and not by threads: for a small picture Pillow spends more time in Python than in decoding, and threads
would wait for each other.
"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from envs.errors import SettingError
from envs.pictures import picture
from streams.versions import cpus

TOGETHER = 64  # pictures that are handed over at once
FEW = 4  # times as many are decoded before a process would have begun
AHEAD = 2  # times as many are decoded by each process while others are taken


def files_of(where: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of these kinds in a folder and those below it, frame2 before frame10."""
    walked = sorted((_natural(folder), Path(folder), names) for folder, _, names in os.walk(where))
    return [
        folder / name
        for _, folder, names in walked
        for name in sorted((name for name in names if name.lower().endswith(suffixes)), key=_natural)
    ]


def decoded(files: list[Path], *, size: int) -> Iterator[np.ndarray]:
    """The pictures (H, W, 3) in this order, fitted.

    Raises:
        SettingError: one can't be read, with its name, once those before it were taken.
    """
    batches = _Batches(files, size=size)
    workers = min(cpus(), 8) if len(batches) > FEW else 0
    ahead = {"num_workers": workers, "prefetch_factor": AHEAD} if workers else {}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # for them, from birth: Ctrl-C is ours alone
    try:
        loaded = iter(DataLoader(batches, batch_size=None, collate_fn=_as_it_is, **ahead))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    while True:
        try:
            some = next(loaded, None)
        except RuntimeError as error:  # one of them was killed
            raise SettingError(f"can't be decoded ({str(error).splitlines()[0]}); is there memory enough?") from None
        if some is None:
            return
        if isinstance(some, str):
            raise SettingError(some)
        yield from some


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


class _Batches(Dataset):
    """Fitted pictures, so many at a time, or what is wrong with the first of them that can't be read."""

    def __init__(self, files: list[Path], *, size: int):
        self.files, self.size = files, size

    def __len__(self) -> int:
        return -(-len(self.files) // TOGETHER)

    def __getitem__(self, number: int) -> list[np.ndarray] | str:
        try:
            files = self.files[number * TOGETHER : (number + 1) * TOGETHER]
            return [fitted(picture(file), self.size) for file in files]
        except SettingError as error:
            return str(error)


def _as_it_is(found: list[np.ndarray] | str) -> list[np.ndarray] | str:
    return found
