"""From Frames to Pairs: what counts as two views of the same thing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from omegaconf import MISSING
from torch import Tensor

from envs.devices import upload
from envs.errors import SettingError, unknown
from streams.pairs.augmentation import views as augmentation
from streams.pairs.frame_buffer import GAP_DISTRIBUTIONS, Ring, gaps, longest
from streams.pairs.memory import Fifo, Memory, Reservoir, select
from streams.pairs.minred import MinRed
from streams.seeding import generator
from streams.types import Frames, Pairs, Rows

KINDS = ("temporal", "augmentation", "both")
MEMORIES = {"none": Memory, "fifo": Fifo, "reservoir": Reservoir, "minred": MinRed}
LABELS = ("category", "phase")  # factors that a memory counts its frames by
PATIENCE = 1000  # steps without a pair, at least, after which none is waited for


@dataclass
class PairsSettings:
    """What all kinds of pairs have in common"""

    name: str = MISSING
    gap: int = 4  # steps from the earlier frame of a pair; the most, or the mean, where the gap is drawn
    gap_distribution: str = "fixed"  # fixed, uniform (1 to gap) or geometric (mean gap)


@dataclass
class TemporalSettings(PairsSettings):
    """pairs=temporal"""

    symmetric: bool = False  # draw which of the two frames comes first, instead of the earlier


@dataclass
class AugmentationSettings(PairsSettings):
    """pairs=augmentation: two views of each frame that has an earlier one at the gap, so that all kinds see as many"""

    gap: int = 4  # as in the other kinds; 0 takes every frame
    views: str = "tang2022"  # tang2022 (warp, colour, flip), simclr (crop, colour, grey, flip), crops or lighting alone


@dataclass
class BothSettings(TemporalSettings):
    """pairs=both: neighbours, and a view of each"""

    views: str = "tang2022"  # tang2022 (warp, colour, flip), simclr (crop, colour, grey, flip), crops or lighting alone


def build_pairs(
    source: Iterator[Frames],
    *,
    pairs: dict[str, Any],
    memory: dict[str, Any] | None = None,
    worlds: int = 0,
    seed: int = 0,
    encode: Callable[[Tensor], Tensor] | None = None,
) -> "PairStream":
    """The stream of pairs that settings ask for, by their plain names.

    `pairs` holds the name (`temporal`, ...) and keywords of PairStream; `memory` the name, `updates` and keywords of a
    memory, none if absent. `worlds` is how many frames come at a step, where it is known beforehand. `encode`, images
    (B, 3, H, W) to features (B, D), is what a MinRed memory compares frames by.

    Raises:
        SettingError: an unknown name, or a value that cannot work.
    """
    told = {"name": "none", "updates": 1} | (memory or {})
    kind, updates = told.pop("name"), told.pop("updates")
    if kind not in MEMORIES:
        raise unknown("memory", kind, MEMORIES)
    kept = MEMORIES[kind](seed=seed, **told)
    stream = PairStream(source, memory=kept, updates=updates, seed=seed, encode=encode, **pairs)
    kept.check(worlds, views=1 if stream.name == "augmentation" else 2)
    return stream


class PairStream:
    """Pairs of views of the same thing, a batch for each update.

    - temporal: each frame with the frame of the same world `gap` steps before it, where both show one episode
    - augmentation: two views of one frame, each drawn by itself; gap 0
    - both: two frames as in temporal, a view of each

    All kinds are made from the same rows, those that have such an earlier frame, so that they learn from equal frames
    in equal updates; augmentation with `gap=0` takes every frame. A step with fewer than two rows is passed over, since
    a single pair has no negatives. `symmetric` draws which of two frames comes first.

    Rows go through the memory, which gives `updates` batches a step, each of as many rows as have come at it.

    A source is an iterator of Frames with state and `seconds`. One whose frames do not come in order is told by
    `look_back` which gaps (N,) each step will have, so that it can read ahead; its `before` then gives the images
    (N, H, W, 3) and episodes (N,) so many steps before the rows last given, -1 where nothing came. For all others a
    ring of the last frames, uint8 on the device, is kept here.
    """

    def __init__(
        self,
        frames: Iterator[Frames],
        *,
        name: str = "temporal",
        gap: int = 4,
        gap_distribution: str = "fixed",
        symmetric: bool = False,
        views: str | None = None,
        memory: Memory | None = None,
        updates: int = 1,
        seed: int = 0,
        encode: Callable[[Tensor], Tensor] | None = None,
    ):
        if name not in KINDS:
            raise unknown("pairs", name, KINDS)
        if gap < (name != "augmentation"):
            raise SettingError(f"pairs.gap={gap} pairs a frame with itself; try 1 or more, or pairs=augmentation")
        if gap_distribution not in GAP_DISTRIBUTIONS:
            raise unknown("pairs.gap_distribution", gap_distribution, GAP_DISTRIBUTIONS)
        if updates < 1:
            raise SettingError(f"memory.updates={updates} would learn nothing; try 1 or more a step")
        self.frames, self.name, self.gap, self.gap_distribution, self.seed = frames, name, gap, gap_distribution, seed
        self.symmetric, self.updates, self.encode = symmetric, updates, encode
        self.memory = memory or Memory()
        assert self.encode or not self.memory.asks_for_features
        self.view = None if name == "temporal" else augmentation(views or "tang2022")
        self.seconds = 0.0  # spent here, not in the frames' own making
        self._ring = Ring(longest(gap_distribution, gap))
        self._scattered = hasattr(frames, "look_back")
        if self._scattered and gap:
            frames.look_back(self._gaps)
        self._seen = 0  # world frames
        self._batches = 0  # given so far
        self._owed, self._rows, self._worlds = 0, 0, 0  # of the present step: batches to come; rows; frames

    def __iter__(self) -> "PairStream":
        return self

    def __next__(self) -> Pairs:
        empty_steps = 0
        while not self._owed:
            if empty_steps > max(PATIENCE, 10 * longest(self.gap_distribution, self.gap)):
                raise SettingError(
                    f"pairs.gap={self.gap} formed no two pairs in {empty_steps} steps; try a shorter one"
                )
            frames, empty_steps = next(self.frames), empty_steps + 1
            start = perf_counter()
            rows = self._find(frames)
            self._worlds = len(frames.episode)
            self._seen += self._worlds
            if len(rows.episode) > 1:
                self.memory.add(rows)
                self._rows, self._owed = len(rows.episode), self.updates
            self.seconds += perf_counter() - start
        start = perf_counter()
        pairs = self._draw()
        self.seconds += perf_counter() - start
        return pairs

    def statistics(self) -> dict[str, dict[str, float]]:
        """What the memory holds, as series of a run's metrics; waits for the device."""
        return self.memory.statistics()

    def _find(self, frames: Frames) -> Rows:
        """The rows of one step that make pairs; decided on the CPU, so nothing waits for the device."""
        now, worlds = frames.images, len(frames.episode)
        labels = {name: frames.factors[name].to(now.device) for name in LABELS if name in frames.factors}
        if not self.gap:
            return Rows((now,), torch.zeros(worlds, dtype=torch.int64), frames.episode, labels)
        gap = self._gaps(frames.step, worlds)
        if self._scattered:
            earlier, episode = self.frames.before()
            episode = torch.where(gap > frames.step, -1, episode)  # as in order, so that all orders see equal updates
        else:
            self._ring.add(now, frames.episode)
            earlier, episode = self._ring.before(gap)
        views = (earlier, now)
        if self.name == "augmentation":
            views, gap = (now,), torch.zeros_like(gap)
        rows = Rows(views, gap, frames.episode, labels)
        found = torch.nonzero(episode == frames.episode)[:, 0]
        return rows if len(found) == worlds else select(rows, found)

    def _gaps(self, step: int, count: int) -> Tensor:
        """(count,) steps from each row of a step back to its pair."""
        return gaps(self.gap_distribution, self.gap, count=count, draws=generator(self.seed, "gap", step))

    def _draw(self) -> Pairs:
        """One batch from the memory, as floats and, where asked for, as views."""
        number = self._batches
        rows, slots = self.memory.draw(self._rows, generator(self.seed, "memory", number))
        first, second = (as_float(rows.views[at]) for at in (0, -1))
        if self.symmetric:
            swap = torch.rand(len(rows.episode), generator=generator(self.seed, "order", number)) < 0.5
            swap = upload(swap, first.device)[:, None, None, None]
            first, second = torch.where(swap, second, first), torch.where(swap, first, second)
        if self.view:
            first, second = (
                self.view(images, generator(self.seed, f"view/{which}", number))
                for which, images in (("first", first), ("second", second))
            )
        first, second = (images.contiguous(memory_format=torch.channels_last) for images in (first, second))
        if self.memory.asks_for_features:
            self.memory.remember(slots, self.encode(second))
        self._batches, self._owed = number + 1, self._owed - 1
        seen = self._seen - (self._worlds if self._owed else 0)
        return Pairs(first, second, rows.gap, rows.episode, seen)

    def state_dict(self) -> dict[str, Any]:
        """The source's state, the ring, the memory, and where among a step's batches the stream is."""
        parts = {"frames": self.frames.state_dict(), "ring": self._ring.state_dict()}
        counts = {name: getattr(self, name) for name in ("_seen", "_batches", "_owed", "_rows", "_worlds")}
        return parts | {"memory": self.memory.state_dict(), "counts": counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next pairs are those that followed the saved ones."""
        self.frames.load_state_dict(state["frames"])
        self._ring.load_state_dict(state["ring"])
        self.memory.load_state_dict(state["memory"])
        for name, value in state["counts"].items():
            setattr(self, name, value)


def as_float(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float32 in [0, 1], channels_last without a further copy."""
    return images.to(torch.float32).mul_(1 / 255).permute(0, 3, 1, 2)
