"""Every frame once, for a learner that remembers what it saw."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from envs.errors import SettingError, unknown
from streams.pairs.frame_buffer import GAP_DISTRIBUTIONS, gaps
from streams.pairs.pairing import as_float
from streams.seeding import generator
from streams.types import Frames, Pairs


class SingleFrameStream:
    """All worlds' frames at each step, and how many steps ago the earlier view of each was, which is not shown again.

    The first view of its Pairs is None, and rows are all N worlds in order, also those whose episode has just begun.
    """

    def __init__(self, frames: Iterator[Frames], *, gap: int, gap_distribution: str = "fixed", seed: int = 0):
        if gap < 1:
            raise SettingError(f"pairs.gap={gap} pairs a frame with itself; try 1 or more")
        if gap_distribution not in GAP_DISTRIBUTIONS:
            raise unknown("pairs.gap_distribution", gap_distribution, GAP_DISTRIBUTIONS)
        self.frames, self.gap, self.gap_distribution, self.seed = frames, gap, gap_distribution, seed
        if hasattr(frames, "before"):
            raise SettingError("loss.remember=true needs frames in the order of time; set stream.order=sequential")
        self.seconds = 0.0  # spent here, not in the frames' own making

    def __iter__(self) -> "SingleFrameStream":
        return self

    def __next__(self) -> Pairs:
        frames = next(self.frames)
        start = perf_counter()
        worlds = len(frames.episode)
        gap = gaps(self.gap_distribution, self.gap, count=worlds, draws=generator(self.seed, "gap", frames.step))
        now = as_float(frames.images)
        self.seconds += perf_counter() - start
        return Pairs(None, now, gap, frames.episode, (frames.step + 1) * worlds)

    def statistics(self) -> dict[str, dict[str, float]]:
        """No series: what is remembered is the learner's."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The stream's state: nothing else is kept here."""
        return {"frames": self.frames.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next moments are those that followed the saved ones."""
        self.frames.load_state_dict(state["frames"])
