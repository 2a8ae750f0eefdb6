"""From Frames to Pairs: what counts as two views of the same thing."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from envs.errors import SettingError, unknown
from streams.seeding import generator
from streams.types import Frames, Pairs

GAP_LAWS = ("fixed", "uniform", "geometric")
LONGEST = 4  # a geometric gap is cut at so many times its mean


class TemporalPairs:
    """Each frame with the frame of the same world `gap` steps before it, where both show the same encounter.

    The last frames are kept in a ring of uint8 on the device. A row of which the earlier frame shows another encounter
    makes no pair, and a step with fewer than two pairs is passed over, since a single pair has no negatives.
    """

    def __init__(self, frames: Iterator[Frames], *, gap: int, gap_law: str = "fixed", seed: int = 0):
        if gap < 1:
            raise SettingError(f"pairs.gap={gap} pairs a frame with itself; try 1 or more")
        if gap_law not in GAP_LAWS:
            raise unknown("pairs.gap_law", gap_law, GAP_LAWS)
        self.frames, self.gap, self.gap_law, self.seed = frames, gap, gap_law, seed
        self.longest = gap * (LONGEST if gap_law == "geometric" else 1)
        self.seconds = 0.0  # spent here, not in the frames' own making
        self._images: Tensor | None = None  # (longest + 1, N, H, W, 3) uint8, step s in slot s % (longest + 1)
        self._episodes: Tensor | None = None  # (longest + 1, N) int64 on the CPU, -1 where nothing has been yet

    def __iter__(self) -> "TemporalPairs":
        return self

    def __next__(self) -> Pairs:
        while True:
            frames = next(self.frames)
            start = perf_counter()
            pairs = self._pair(frames)
            self.seconds += perf_counter() - start
            if pairs is not None:
                return pairs

    def _pair(self, frames: Frames) -> Pairs | None:
        now = frames.images.permute(0, 2, 3, 1)  # (N, H, W, 3)
        if self._images is None:
            self._images = now.new_zeros(self.longest + 1, *now.shape)
            self._episodes = torch.full((self.longest + 1, len(now)), -1)
        slots, worlds = len(self._images), torch.arange(len(now))
        self._images[frames.step % slots] = now
        self._episodes[frames.step % slots] = frames.episode
        gap = self._gaps(frames.step, len(now))  # (N,)
        before = (frames.step - gap) % slots
        rows = torch.nonzero(self._episodes[before, worlds] == frames.episode)[:, 0]  # decided on the CPU: no sync
        if len(rows) < 2:
            return None
        flat = (before * len(now) + worlds)[rows].to(now.device, non_blocking=True)
        earlier = self._images.flatten(0, 1).index_select(0, flat)
        later = now if len(rows) == len(now) else now.index_select(0, rows.to(now.device, non_blocking=True))
        seen = (frames.step + 1) * len(now)
        return Pairs(as_float(earlier), as_float(later), gap[rows], frames.episode[rows], seen)

    def _gaps(self, step: int, worlds: int) -> Tensor:
        if self.gap_law == "fixed":
            return torch.full((worlds,), self.gap)
        draw = torch.rand(worlds, generator=generator(self.seed, "gap", step), dtype=torch.float64)
        if self.gap_law == "uniform":
            return 1 + (draw * self.gap).long()
        stop = torch.log1p(
            torch.tensor(-1 / self.gap, dtype=torch.float64)
        )  # of each step, so that the mean is the gap
        return (1 + (torch.log1p(-draw) / stop).long()).clamp(max=self.longest)

    def state_dict(self) -> dict[str, Any]:
        """The stream's state and the ring."""
        return {"frames": self.frames.state_dict(), "images": self._images, "episodes": self._episodes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next pairs are those that followed the saved ones."""
        self.frames.load_state_dict(state["frames"])
        self._images, self._episodes = state["images"], state["episodes"]


def as_float(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float32 in [0, 1], channels_last without a further copy."""
    return images.to(torch.float32).mul_(1 / 255).permute(0, 3, 1, 2)
