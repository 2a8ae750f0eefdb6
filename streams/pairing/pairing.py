"""From Frames to Pairs: two views of the same thing, near each other in time or by augmentation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import torch
from omegaconf import MISSING
from torch import Tensor

from envs.command.text import counted
from envs.devices import upload
from envs.errors import SettingError, unknown
from streams.pairing.augmentation import KINDS as VIEWS
from streams.pairing.augmentation import views as augmentation
from streams.pairing.frame_buffer import GAP_DISTRIBUTIONS, Ring, gaps, longest
from streams.pairing.memory import BufferSettings, Fifo, Memory, MemorySettings, Reservoir, select
from streams.pairing.minred import MinRed
from streams.process.ranks import Ranks
from streams.process.states import joined_worlds, part_of_worlds
from streams.seeding import RowGenerator, generator, rand_rows, seed_of
from streams.types import Frames, OutOfOrder, Pairs, Rounds, Rows, Source

KINDS = ("temporal", "augmentation", "both")
MEMORIES = {"none": Memory, "fifo": Fifo, "reservoir": Reservoir, "minred": MinRed}
LABELS = ("category", "phase")  # factors that a memory counts its frames by
# Key in a saved state: attribute.
COUNTS = {"_seen": "_frame_count", "_owed": "_batches_left"} | {name: name for name in ("_batches", "_rows", "_worlds")}
MOST_UPDATES = 1000  # a step, beyond which a step would not end
PATIENCE = 1000  # steps without a pair, at least, after which none is waited for


@dataclass
class PairsSettings:
    """What all kinds of pairs have in common"""

    name: str = MISSING  # of the kind: pairs=NAME
    gap: int = 4  # steps from the earlier frame of a pair; the most, or the mean, where it is drawn; augmentation: or 0
    gap_distribution: str = "fixed"  # fixed, uniform (1 to gap) or geometric (mean gap)
    symmetric = False  # as the next line, no field
    views = ""  # no augmentation


@dataclass
class TemporalSettings(PairsSettings):
    """pairs=temporal"""

    name: str = "temporal"  # of the kind: pairs=NAME
    symmetric: bool = False  # draw which of the two frames comes first, instead of the earlier


@dataclass
class AugmentationSettings(PairsSettings):
    """pairs=augmentation: two views of each frame that has an earlier one at the gap, so that all kinds see as many"""

    name: str = "augmentation"  # of the kind: pairs=NAME
    views: str = "tang2022"  # tang2022 (or _conv4, _conv6: their code), simclr, crops, lighting, unchanged


@dataclass
class BothSettings(TemporalSettings):
    """pairs=both: neighbours, and a view of each"""

    name: str = "both"  # of the kind: pairs=NAME
    views: str = AugmentationSettings.views  # as in pairs=augmentation


def build_pairs(
    frames: Source,
    *,
    pairs: PairsSettings,
    memory: MemorySettings | None = None,
    worlds: int = 0,
    seed: int = 0,
    encode: Callable[[Tensor], Tensor] | None = None,
    ranks: Ranks | None = None,
    least: int = 2,
) -> "PairStream":
    """The stream of pairs that the settings ask for, whose rows go through the memory of that name, or none.

    `worlds` is the number of frames a step, where it is known beforehand. `encode`, images (B, 3, H, W) to features (B,
    D), is what a MinRed memory compares frames by. Of several ranks, each pairs its own worlds' frames, and has its
    part of the memory. A step with fewer than `least` rows is passed over. Raises SettingError: an unknown name, or a
    value that cannot work.
    """
    memory = memory or MemorySettings()
    if memory.name not in MEMORIES:
        raise unknown("memory", memory.name, MEMORIES)
    ranks = ranks or Ranks()
    kept = MEMORIES[memory.name](share(memory, ranks), seed=own_seed(seed, ranks))
    stream = PairStream(frames, pairs, memory=kept, seed=seed, encode=encode, ranks=ranks, least=least)
    stream.memory.check(worlds, views=1 if pairs.name == "augmentation" else 2)
    return stream


class PairStream(Iterator[Pairs]):
    """Pairs of views of the same thing, a batch for each update.

    - temporal: each frame with the frame of the same world `gap` steps before it, where both show one episode
    - augmentation: two views of one frame, each drawn by itself; gap 0
    - both: two frames as in temporal, a view of each

    All kinds are made from the same rows, those that have such an earlier frame, so that they learn from equal frames
    in equal updates; augmentation with `gap=0` takes every frame. A step with fewer rows than `least` is passed over: a
    single pair has no negatives. `symmetric` draws which of two frames comes first.

    Rows go through the memory, which gives `updates` batches a step, each of as many rows as have come at it.

    Of a source in the order of time, a ring of the last frames, uint8 on the device, is kept here.
    """

    def __init__(
        self,
        frames: Source,
        settings: PairsSettings,
        *,
        memory: Memory | None = None,
        seed: int = 0,
        encode: Callable[[Tensor], Tensor] | None = None,
        ranks: Ranks | None = None,
        least: int = 2,
    ):
        if settings.name not in KINDS:
            raise unknown("pairs", settings.name, KINDS)
        if settings.gap < (settings.name != "augmentation"):
            raise SettingError(
                f"pairs.gap={settings.gap} pairs a frame with itself; try 1 or more, or pairs=augmentation"
            )
        if settings.gap_distribution not in GAP_DISTRIBUTIONS:
            raise unknown("pairs.gap_distribution", settings.gap_distribution, GAP_DISTRIBUTIONS)
        self.frames, self.settings, self.seed, self.encode = frames, settings, seed, encode
        self.gap, self._ranks, self._least = settings.gap, ranks or Ranks(), least
        self._own_seed = own_seed(seed, self._ranks)
        self.memory = memory or Memory()
        self.updates = self.memory.settings.updates
        self.batch = getattr(self.memory.settings, "batch", 0)  # pairs; 0 for as many as the step brought
        if self.batch < 0 or self.batch == 1:
            raise SettingError(f"memory.batch={self.batch} is no batch of pairs; try 32, or 0 for as many as come")
        if not 1 <= self.updates <= MOST_UPDATES:
            raise SettingError(f"memory.updates={self.updates} is out of range; try 1 to {MOST_UPDATES:,} a step")
        if settings.name != "temporal" and not settings.views:
            raise unknown("pairs.views", "", VIEWS)
        assert self.encode or not self.memory.asks_for_features
        self.view = augmentation(settings.views) if settings.views else None
        self.seconds = 0.0  # spent here, not in the frames' own making
        self._longest = longest(settings.gap_distribution, settings.gap)
        self._ring = Ring(self._longest)
        self._out_of_order = frames if isinstance(frames, OutOfOrder) else None
        if self._out_of_order and settings.gap:
            self._out_of_order.look_back(self._gaps)
        self._frame_count = 0  # world frames so far
        self._batches = 0  # given so far
        self._batches_left, self._rows, self._worlds = 0, 0, 0  # of the present step: batches to come; rows; frames

    def __next__(self) -> Pairs:
        empty_steps = 0
        while not self._batches_left:
            if empty_steps > max(PATIENCE, 10 * self._longest):
                raise self._no_pairs(empty_steps)
            try:
                frames = next(self.frames)
            except StopIteration:
                if self._batches or not empty_steps:
                    raise
                raise self._no_pairs(empty_steps) from None
            empty_steps += 1
            start = perf_counter()
            rows = self._rows_of(frames)
            self._worlds = len(frames.episode) * self._ranks.size
            self._frame_count += self._worlds
            if sum(self._ranks.counts(len(rows.episode))) >= self._least:
                self.memory.add(rows)
                self._rows, self._batches_left = len(rows.episode), self.updates
            self.seconds += perf_counter() - start
        start = perf_counter()
        pairs = self._draw()
        self.seconds += perf_counter() - start
        return pairs

    def _no_pairs(self, steps: int) -> SettingError:
        rounds = self.frames if isinstance(self.frames, Rounds) else None
        fit = rounds.rows_for(self.gap + 1) if rounds else 0
        if rounds is None or rounds.length > self.gap or not fit:
            few = "no two pairs" if self._least > 1 else "no pair"
            return SettingError(f"pairs.gap={self.gap} formed {few} in {steps} steps; try a shorter one")
        return SettingError(
            f"stream.worlds={self._worlds} shows {rounds.length} steps of a recording in each row, too few for "
            f"pairs.gap={self.gap}; try stream.worlds={fit} or fewer, or a shorter gap"
        )

    def statistics(self) -> dict[str, dict[str, float]]:
        """Returns series of numbers about the memory, for a run's metrics; waits for the device."""
        return self.memory.statistics()

    def _rows_of(self, frames: Frames) -> Rows:
        """The rows of one step that make pairs; chosen on the CPU, so that nothing waits for the device."""
        now, worlds = frames.images, len(frames.episode)
        labels = {name: frames.factors[name].to(now.device) for name in LABELS if name in frames.factors}
        if not self.gap:
            return Rows((now,), torch.zeros(worlds, dtype=torch.int64), frames.episode, labels)
        gap = self._gaps(frames.step, worlds)
        if self._out_of_order:
            earlier, episode = self._out_of_order.before()
            episode = torch.where(gap > frames.step, -1, episode)  # as in order, so that all orders see equal updates
        else:
            self._ring.add(now, frames.episode)
            earlier, episode = self._ring.before(gap)
        rows = Rows((earlier, now), gap, frames.episode, labels)
        if self.settings.name == "augmentation":
            rows = rows._replace(views=(now,), gap=torch.zeros_like(gap))
        in_one_episode = torch.nonzero(episode == frames.episode)[:, 0]
        return rows if len(in_one_episode) == worlds else select(rows, in_one_episode)

    def _gaps(self, step: int, count: int) -> Tensor:
        """(count,) steps from each row of a step back to its pair."""
        return gaps(
            self.settings.gap_distribution,
            self.gap,
            count=count,
            draws=self._draws("gap", step, [count] * self._ranks.size),
        )

    def _draws(self, name: str, step: int, counts: list[int]) -> RowGenerator:
        """A generator for this rank's rows of a batch, of which each rank has `counts`."""
        first = sum(counts[: self._ranks.rank])
        return RowGenerator.of(self.seed, name, step, first=first, total=sum(counts))

    def _draw(self) -> Pairs:
        """One batch from the memory, as floats, and augmented where the kind asks for views."""
        number = self._batches
        draws = generator(self._own_seed, "memory", number)  # of each rank's own memory
        rows, slots = self.memory.draw(self.batch or self._rows, draws)
        drawn = self._ranks.counts(len(slots)) if self.settings.symmetric or self.view else [len(slots)]
        first, second = (as_float(rows.views[at]) for at in (0, -1))
        if self.settings.symmetric:
            swap = rand_rows(len(slots), draws=self._draws("order", number, drawn)) < 0.5
            swap = upload(swap, first.device)[:, None, None, None]
            first, second = torch.where(swap, second, first), torch.where(swap, first, second)
        if self.view:
            first, second = (
                self.view(images, self._draws(f"view/{which}", number, drawn))
                for which, images in (("first", first), ("second", second))
            )
        first, second = (images.contiguous(memory_format=torch.channels_last) for images in (first, second))
        if self.memory.asks_for_features and self.encode:
            self.memory.remember(slots, self.encode(second))
        self._batches, self._batches_left = number + 1, self._batches_left - 1
        used = self._frame_count - (self._worlds if self._batches_left else 0)
        return Pairs(first, second, rows.gap, rows.episode, used)

    def regrouped(self, states: Sequence[dict[str, Any]], ranks: Ranks) -> dict[str, Any]:
        """The state with which this rank goes on, from those of other ranks, as many as there were.

        What is left of a step's batches is dropped. Raises SettingError: the ranks had memories, each its own.
        """
        if states[0]["memory"].keys() != {"rows"}:
            raise SettingError(
                f"{counted(len(states), 'rank')} saved a memory each, and {ranks.size} can't go on with them; start "
                f"{len(states)}, or begin a run with memory=none, which any number of ranks can go on with"
            )
        ring = {"count": states[0]["ring"]["count"]}
        for name in ("images", "episodes") if ring["count"] else ():
            whole = torch.cat([state["ring"][name].cpu() for state in states], 1)
            ring[name] = whole.chunk(ranks.size, 1)[ranks.rank].contiguous()
        ring = {"images": self._ring.images, "episodes": self._ring.episodes} | ring
        ring["images"] = ring["images"].to(states[0]["ring"]["images"].device)
        counts = states[0]["counts"] | {"_owed": 0}
        memory = {"rows": None}
        return {"frames": regrouped_frames(states, ranks), "ring": ring, "memory": memory, "counts": counts}

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of source, ring and memory, and where among a step's batches the stream is."""
        parts = {"frames": self.frames.state_dict(), "ring": self._ring.state_dict()}
        counts = {key: getattr(self, name) for key, name in COUNTS.items()}
        return parts | {"memory": self.memory.state_dict(), "counts": counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the pairs that followed the saved ones."""
        self.frames.load_state_dict(state["frames"])
        self._ring.load_state_dict(state["ring"])
        self.memory.load_state_dict(state["memory"])
        for key, value in state["counts"].items():
            setattr(self, COUNTS[key], value)


def regrouped_frames(states: Sequence[dict[str, Any]], ranks: Ranks) -> dict[str, Any]:
    """The state of this rank's source, from those of streams of other ranks, as many as there were."""
    frames = [state["frames"] for state in states]
    if "world" not in frames[0]:  # of recordings, which have one on all ranks
        return frames[0]
    own = len(frames[0]["shift"])
    each = own * len(frames) // ranks.size
    part = slice(each * ranks.rank, each * (ranks.rank + 1))
    return part_of_worlds(joined_worlds(frames, own), own * len(frames), part)


def own_seed(seed: int, ranks: Ranks) -> int:
    """The seed of what each rank draws for itself."""
    return seed_of(seed, "rank", ranks.rank) if ranks.rank else seed


def share(memory: MemorySettings, ranks: Ranks) -> MemorySettings:
    """The settings of a rank's part of a memory. Raises SettingError: a batch that can't be shared out evenly."""
    if ranks.size == 1 or not isinstance(memory, BufferSettings):
        return memory
    batch = len(ranks.share(memory.batch, "memory.batch")) if memory.batch else 0
    return replace(memory, capacity=memory.capacity // ranks.size, batch=batch)


def as_float(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float32 in [0, 1], channels_last without a further copy."""
    return images.to(torch.float32).mul_(1 / 255).permute(0, 3, 1, 2)
