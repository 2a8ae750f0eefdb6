"""Replay buffers: rows of a stream that are kept for a while, and drawn from uniformly.

A memory holds rows, which are the frames of one pair each: both frames of a temporal pair, or the one frame that is
augmented twice. Its capacity is in frames, so that it holds half as many pairs of two. Frames are uint8 on the device;
which slots are taken and drawn is decided on the CPU, so that nothing waits for the device.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from omegaconf import MISSING
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from envs.devices import upload
from envs.errors import SettingError
from streams.seeding import generator
from streams.types import Rows

MAX_COMPARED = 1024  # slots that redundancy is computed from
THUMBNAIL = 8  # pixels along its edge
NEVER = -2.0  # less than any cosine
NONE = Rows((), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), {})
# Key in a saved state: attribute.
MOST_VALUES = 1024  # of a label, each of which is counted whether it occurs or not
COUNTS = {"slots": "slots", "filled": "filled", "seen": "rows_added", "additions": "additions", "known": "label_counts"}


@dataclass
class MemorySettings:
    """memory=none"""

    name: str = "none"  # of the memory: memory=NAME
    updates: int = 1  # of the weights, a step: batches of as many pairs as the step brought, or of `batch`


@dataclass
class BufferSettings(MemorySettings):
    """memory=fifo, reservoir or minred"""

    name: str = MISSING  # of the memory: memory=NAME
    capacity: int = 4096  # frames; a pair of two frames takes two
    batch: int = 0  # pairs of a batch; 0 for as many as the step brought


class Memory:
    """memory=none: holds the last rows, and returns all of them."""

    asks_for_features = False

    def __init__(self, settings: MemorySettings | None = None, *, seed: int = 0):
        self.settings, self.seed = settings or MemorySettings(), seed
        self.rows = NONE  # in slots, the axis of each of its tensors

    def check(self, count: int, *, views: int) -> None:
        """Raises SettingError where a batch of `count` rows of `views` frames does not fit; here all do."""

    def add(self, rows: Rows) -> None:
        """Stores rows in place of the last ones."""
        self.rows = rows

    def draw(self, count: int, draws: torch.Generator) -> tuple[Rows, Tensor]:
        """Returns `count` rows, or all where there are fewer, and the slots (count,) that they lie in."""
        return self.rows, torch.arange(len(self.rows.episode))

    def remember(self, slots: Tensor, features: Tensor) -> None:
        """Takes the features (m, D) of the rows in slots (m,), where it asks for them."""

    def statistics(self) -> dict[str, dict[str, float]]:
        """Returns series of numbers about the rows; none here."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Returns the rows."""
        return {"rows": self.rows._asdict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts saved rows in place of the present ones; gaps and episodes go to the CPU, wherever the images are."""
        rows = Rows(**(state["rows"] or NONE._asdict()))
        self.rows = rows._replace(gap=rows.gap.cpu(), episode=rows.episode.cpu())


class Buffer(Memory):
    """Slots that are filled one after another and then replaced; a concrete buffer chooses which (`_places`)."""

    def __init__(self, settings: BufferSettings, *, seed: int = 0):
        super().__init__(settings, seed=seed)
        self.capacity = settings.capacity
        self.slots = self.filled = 0  # number of slots, and of those that hold a row
        self.rows_added = self.additions = 0  # rows that ever came, and in how many batches
        self.label_counts: dict[str, int] = {}  # how many values of each label have been counted
        self.since = torch.empty(0)  # (slots,) int64 on the CPU: at which addition a row came

    def check(self, count: int, *, views: int) -> None:
        """Raises SettingError where a batch of `count` rows of `views` frames does not fit."""
        if count * views > self.capacity:
            raise SettingError(
                f"memory.capacity={self.capacity} frames is less than a batch ({count} pairs of {views} each to keep); "
                f"try {count * views} or more"
            )

    def add(self, rows: Rows) -> None:
        """Stores rows, or some of them. Raises SettingError: as `check`."""
        count = len(rows.episode)
        self.check(count, views=len(rows.views))
        if not self.slots:
            self.slots = self.capacity // len(rows.views)
            self.rows = _apply(lambda x: x.new_zeros(self.slots, *x.shape[1:]), rows)
            self.since = torch.zeros(self.slots, dtype=torch.int64)
        slots, chosen = self._places(count)
        if len(chosen) < count:
            rows = select(rows, chosen)
        _apply(lambda kept, new: kept.index_copy_(0, upload(slots, kept.device), new), self.rows, rows)
        self.since[slots] = self.additions
        self.rows_added, self.additions = self.rows_added + count, self.additions + 1
        self.filled = min(self.slots, self.filled + count)

    def _places(self, count: int) -> tuple[Tensor, Tensor]:
        """Slots (m,), all different, and which of `count` new rows (m,) they are given to."""
        raise NotImplementedError

    def draw(self, count: int, draws: torch.Generator) -> tuple[Rows, Tensor]:
        """Returns `count` rows drawn uniformly without replacement, and their slots (count,)."""
        slots = torch.randperm(self.filled, generator=draws)[:count]
        return select(self.rows, slots), slots

    def statistics(self) -> dict[str, dict[str, float]]:
        """Returns how many frames are held, their age (in steps that made pairs), redundancy, and shares of each label.

        Redundancy is the mean, over at most MAX_COMPARED slots, of the cosine of a frame's thumbnail with the most
        similar other. It needs no network, so that all memories can be compared.
        """
        if not self.filled:
            return {}
        age = self.additions - 1 - self.since[: self.filled]
        compared = torch.linspace(0, self.filled - 1, min(self.filled, MAX_COMPARED)).long()
        images = select(self.rows, compared).views[-1]
        series = {
            "held": self.filled * len(self.rows.views),
            "age": float(age.double().mean()),
            "oldest": float(age.max()),
            "redundancy": float(nearest(thumbnails(images)).mean()),
        }
        return {"memory": series} | {f"memory/{name}": self._shares(name) for name in self.rows.labels}

    def _shares(self, name: str) -> dict[str, float]:
        """The share of each value that a label has ever had here."""
        labels = self.rows.labels[name][: self.filled]
        if labels.max() >= MOST_VALUES:  # numbers with gaps: those that occur
            values, counts = labels.unique(return_counts=True)
        else:
            counts = torch.bincount(labels, minlength=self.label_counts.get(name, 0))
            self.label_counts[name], values = len(counts), torch.arange(len(counts))
        pairs = zip(values.tolist(), counts.tolist(), strict=True)
        return {str(value): count / self.filled for value, count in pairs}

    def state_dict(self) -> dict[str, Any]:
        """Returns the rows, since when they are there, and the counts."""
        counts = {key: getattr(self, name) for key, name in COUNTS.items()}
        return super().state_dict() | {"since": self.since, "counts": counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts a saved state in place of the present one."""
        super().load_state_dict(state)
        self.since = torch.empty(0) if state["since"] is None else state["since"].cpu()
        for key, value in state["counts"].items():
            setattr(self, COUNTS[key], value)


class Fifo(Buffer):
    """A buffer that replaces its oldest rows."""

    def _places(self, count: int) -> tuple[Tensor, Tensor]:
        return (self.rows_added + torch.arange(count)) % self.slots, torch.arange(count)


class Reservoir(Buffer):
    """A buffer of a uniform sample of all rows so far: Vitter's (1985) algorithm R, a batch at a time."""

    def _places(self, count: int) -> tuple[Tensor, Tensor]:
        number = self.rows_added + torch.arange(count)
        draw = torch.rand(count, generator=generator(self.seed, "reservoir", self.additions), dtype=torch.float64)
        slot = torch.where(number < self.slots, number, (draw * (number + 1)).long())
        kept, last = np.unique(slot.flip(0).numpy(), return_index=True)  # of two at one slot, the later stays
        inside = kept < self.slots
        return torch.from_numpy(kept[inside]), torch.from_numpy(count - 1 - last[inside])


def thumbnails(images: Tensor) -> Tensor:
    """Images (M, H, W, 3) uint8 to directions (M, 192): 8x8 pixels less their mean colour."""
    small = adaptive_avg_pool2d(images.permute(0, 3, 1, 2).float(), THUMBNAIL)
    return normalize((small - small.mean((2, 3), keepdim=True)).flatten(1), dim=1)


def nearest(directions: Tensor) -> Tensor:
    """(M,) cosines of directions (M, D) with the most similar other."""
    return (directions @ directions.T).fill_diagonal_(NEVER).amax(1)


def select(rows: Rows, at: Tensor) -> Rows:
    """The rows with these numbers (m,), which are on the CPU."""
    return _apply(lambda x: x.index_select(0, upload(at, x.device)), rows)


def _apply(job, *rows: Rows) -> Rows:
    """A function of each of the tensors of rows."""
    views, gaps, episodes, labels = zip(*rows, strict=True)
    return Rows(
        tuple(job(*parts) for parts in zip(*views, strict=True)),
        job(*gaps),
        job(*episodes),
        {name: job(*(label[name] for label in labels)) for name in labels[0]},
    )
