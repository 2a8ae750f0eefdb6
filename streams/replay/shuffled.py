"""Recordings in an order in which neighbours in time do not follow each other."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from streams.replay.sequential import Replay, _beside


class ShuffledReplay(Replay):
    """Frames whose neighbours in time are not those that came before; pairing asks for them."""

    _gap_at: Callable[[int, int], Tensor] | None = None

    def look_back(self, gap_at: Callable[[int, int], Tensor]) -> None:
        """Reads, with the frames of each step, those `gap_at(step, N)` (N,) steps before them."""
        self._gap_at = gap_at

    def before(self) -> tuple[Tensor, Tensor]:
        """Returns images (N, H, W, 3) and episodes (N,) at those gaps before the last frames; -1 for none."""
        at = self.step - self._first
        return self._block["before/images"][at], self._block["before/episode"][at]

    def _read(self, first: int, past: int) -> dict[str, Tensor]:
        block = super()._read(first, past)
        if self._gap_at:
            gap = np.stack([self._gap_at(step, sum(self._shares)).numpy() for step in range(first, past)])
            gaps = np.split(gap, np.cumsum(self._shares)[:-1], axis=1)
            steps = np.arange(first, past) + self._start
            parts = [player.before(steps, own) for player, own in zip(self.players, gaps, strict=True)]
            images = _beside([images for images, _ in parts])
            block["before/images"] = torch.from_numpy(images).to(self._device)
            block["before/episode"] = torch.from_numpy(self._numbered([own for _, own in parts]))
        return block
