"""Orders of replay: which frame stands in row r at step s, a function of (seed, s) and nothing else.

An order has a length in steps, and `where` gives the frames of any of them. Shuffling uses a permutation that is
computed, not stored, so that no recording is too long.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from envs.errors import Needs, SettingError, unknown
from envs.scene.random import key
from streams.seeding import seed_of

ORDERS = ("sequential", "window", "shuffled", "episodes")
ROUNDS = 4  # of the Feistel network; three make a random function a random permutation, one for good measure


@dataclass
class OrderSettings:
    """How a recording is shown."""

    needs: ClassVar[Needs] = {
        "window": ("order", ("window",)),
        "clip": ("order", ("window", "shuffled")),
    }

    order: str = "sequential"  # sequential, window (shuffled within a window), shuffled or episodes (whole, any order)
    worlds: int = 0  # frames at once; 0 for as many as were recorded. More of them: each plays another part of the time
    window: int = 16_384  # frames that are shuffled among each other in order=window
    clip: int = 1  # steps of one world that stay together where frames are shuffled; neighbours need more than the gap


def shuffled(numbers: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """The images of numbers (m,) under the permutation of range(count) that belongs to a seed.

    A Feistel network over the next power of four, walked until it lands inside:

    Luby and Rackoff, How to construct pseudorandom permutations from pseudorandom functions, 1988; cycle walking: Black
    and Rogaway, Ciphers with arbitrary finite domains, 2002.
    """
    half = np.uint64(max(1, (max(count - 1, 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    images = numbers.astype(np.uint64)
    outside = np.ones(len(images), bool)
    while outside.any():
        left, right = images[outside] >> half, images[outside] & mask
        for turn in range(ROUNDS):
            left, right = right, left ^ (key("shuffled", seed, turn, right) & mask)
        images[outside] = left << half | right
        outside = images >= count
    return images.astype(np.int64)


class Sequential:
    """The order of the recording; with m times as many rows as worlds, each world plays m stretches at once."""

    def __init__(self, *, steps: int, worlds: int, rows: int):
        if rows > worlds and rows % worlds:
            raise SettingError(
                f"stream.worlds={rows} in sequential order must be a multiple of the {worlds} recorded; "
                f"try {rows // worlds * worlds}, or stream.order=episodes"
            )
        self.length = steps // -(-rows // worlds)
        row = np.arange(rows)
        self._first, self._world = row // worlds * self.length, row % worlds

    def where(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The steps and worlds (s, N) of the recording that are shown at steps (s,), of the order's length."""
        return self._first + step[:, None], np.broadcast_to(self._world, (len(step), len(self._world)))


class Shuffled:
    """Clips in a random order within each window; the windows follow each other."""

    def __init__(self, *, steps: int, worlds: int, rows: int, window: int, clip: int, seed: int):
        """`window` is in frames."""
        window = max(clip, min(window // worlds, steps) // clip * clip)  # steps
        self._clip, self._worlds, self._rows, self._seed = clip, worlds, rows, seed
        self._window, self._clips = window, window // clip * worlds
        self.shown = self._clips // rows * clip  # steps that a window gives
        self.length = steps // window * self.shown

    def where(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Sequential.where."""
        window, inside = np.divmod(step, self.shown)
        turn, age = np.divmod(inside, self._clip)
        number = turn[:, None] * self._rows + np.arange(self._rows)  # (s, N) of the clip in the window
        drawn = np.empty_like(number)
        for which in np.unique(window):
            mine = window == which
            seed = seed_of(self._seed, "window", int(which))
            moved = shuffled(number[mine].ravel(), count=self._clips, seed=seed)
            drawn[mine] = moved.reshape(-1, self._rows)
        first = window[:, None] * self._window + drawn // self._worlds * self._clip
        return first + age[:, None], drawn % self._worlds


class Episodes:
    """Episodes one after another in a random order, dealt out to the rows in equal shares.

    Each row plays its share from beginning to end; an episode at the edge of two shares is cut in two.
    """

    def __init__(self, stretches: tuple[np.ndarray, np.ndarray, np.ndarray], *, rows: int, seed: int):
        """`stretches` are those of the function of this name."""
        dealt = shuffled(np.arange(len(stretches[0])), count=len(stretches[0]), seed=seed)
        self._first, self._world, length = (part[dealt] for part in stretches)
        self._ends = np.cumsum(length)
        self._begins = self._ends - length
        self._rows, self.length = rows, int(length.sum()) // rows

    def where(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Sequential.where."""
        line = step[:, None] + self.length * np.arange(self._rows)
        played = np.searchsorted(self._ends, line, side="right")
        return self._first[played] + line - self._begins[played], self._world[played]


Order = Sequential | Shuffled | Episodes


def stretches(episode: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First step, world and length (E,) of each unbroken stretch of one episode in (T, N)."""
    begins = np.ones(episode.shape, bool)
    begins[1:] = episode[1:] != episode[:-1]
    world, first = np.nonzero(begins.T)
    ends = np.append(first[1:], 0)
    ends[np.append(world[1:] != world[:-1], True)] = len(episode)
    return first, world, ends - first


def check(settings: OrderSettings) -> None:
    """Raises SettingError where the settings make no order."""
    if settings.order not in ORDERS:
        raise unknown("stream.order", settings.order, ORDERS)
    for name, least in (("worlds", 0), ("window", 1), ("clip", 1)):
        if getattr(settings, name) < least:
            raise SettingError(f"stream.{name}={getattr(settings, name)} is too few; try {least} or more")
