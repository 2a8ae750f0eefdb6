"""Gaps between the frames of a pair, and a ring of the last frames that earlier ones are taken from."""

from typing import Any

import torch
from torch import Tensor

from envs.devices import upload
from streams.seeding import rand_rows

GAP_DISTRIBUTIONS = ("fixed", "uniform", "geometric")
LONGEST = 4  # times its mean, where a geometric gap is cut


class Ring:
    """The last frames of a stream in order of time."""

    def __init__(self, longest: int):
        self.longest = longest  # gap, in steps
        self.count = 0  # steps so far
        self.images = torch.empty(0)  # (longest + 1, N, H, W, 3) uint8, step s in slot s % (longest + 1)
        self.episodes = torch.empty(0)  # (longest + 1, N) int64 on the CPU, -1 where there was none yet

    def add(self, images: Tensor, episode: Tensor) -> None:
        """Stores the frames (N, H, W, 3) of the next step, which show episodes (N,)."""
        if not self.count:
            self.images = images.new_zeros(self.longest + 1, *images.shape)
            self.episodes = torch.full((self.longest + 1, len(images)), -1)
        slot = self.count % (self.longest + 1)
        self.images[slot], self.episodes[slot] = images, episode
        self.count += 1

    def before(self, gap: Tensor) -> tuple[Tensor, Tensor]:
        """Returns images (N, H, W, 3) and episodes (N,), `gap` (N,) steps before the last one; -1 for none."""
        worlds = torch.arange(len(gap))
        slots = (self.count - 1 - gap) % (self.longest + 1)
        at = upload(slots * len(gap) + worlds, self.images.device)
        return self.images.flatten(0, 1).index_select(0, at), self.episodes[slots, worlds]

    def state_dict(self) -> dict[str, Any]:
        """Returns the frames and how many steps there were."""
        return {"count": self.count, "images": self.images, "episodes": self.episodes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts saved frames in place of the present ones."""
        self.count = state["count"]
        if self.count:
            self.images, self.episodes = state["images"], state["episodes"].cpu()  # wherever the images were read to


def gaps(distribution: str, gap: int, *, count: int, draws: torch.Generator) -> Tensor:
    """(count,) int64 steps: all `gap`, uniform from 1 to `gap`, or geometric of mean `gap`, cut at `longest`."""
    if distribution == "fixed" or not gap:
        return torch.full((count,), gap)
    draw = rand_rows(count, draws=draws, dtype=torch.float64)
    if distribution == "uniform":
        return 1 + (draw * gap).long()
    stop = torch.log1p(torch.tensor(-1 / gap, dtype=torch.float64))  # of each step, so that the mean is the gap
    return (1 + (torch.log1p(-draw) / stop).long()).clamp(max=longest(distribution, gap))


def longest(distribution: str, gap: int) -> int:
    """The longest gap, in steps, that the distribution draws."""
    return gap * LONGEST if distribution == "geometric" else gap
