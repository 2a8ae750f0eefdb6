"""Which blocks learn at an update: greedy (GLL), random (RLL; both Tang, Yang and Amit 2022) or simultaneous."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from envs.errors import SettingError, unknown
from learners.rules.base import LearnerSettings
from streams.seeding import seed_of


@dataclass
class GreedySettings(LearnerSettings):
    """learner=gll."""

    turns: str = "share"  # of the blocks: share (of run.frames), or without an end: rotate, plateau (of a block's loss)
    patience: int = 500  # updates that a turn lasts; with plateau, of the windows whose mean losses are compared
    min_delta: float = 0.01  # with plateau: the share by which a window's loss must be less than the best before it

    def __post_init__(self):
        super().__post_init__()
        if self.turns not in TURNS:
            raise unknown("learner.turns", self.turns, TURNS)
        if self.patience < 1:
            raise SettingError(f"learner.patience={self.patience} is no turn; try 500")
        if self.min_delta < 0:
            raise SettingError(f"learner.min_delta={self.min_delta} would call a rising loss a fall; try 0.01")


class Schedule:
    """Which of a network's `blocks` learn at each update. This one: all of them at every update."""

    planned = False  # whether it depends on how many updates a run will have

    def __init__(self, blocks: int, settings: LearnerSettings | None = None, *, updates: int = 0, seed: int = 0):
        self.blocks, self.updates, self.seed = blocks, updates, seed

    def __call__(self, update: int) -> range:
        """The blocks that learn at this update; both are counted from 0."""
        return range(self.blocks)

    def observe(self, loss: Tensor) -> None:
        """Takes note of the loss () of the blocks that learned, after each update."""

    def state_dict(self) -> dict[str, Any]:
        """What the next update's blocks depend on; most schedules depend on the number of the update alone."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update's blocks are those that followed the saved ones."""


class OneBlock(Schedule):
    """A single block at each update; a concrete one says which (`block_at`)."""

    def __call__(self, update: int) -> range:
        """The block, as a range of one."""
        block = self.block_at(update)
        return range(block, block + 1)

    def block_at(self, update: int) -> int:
        """The block that learns."""
        raise NotImplementedError


class RandomBlock(OneBlock):
    """RLL: one block an update, uniform, a function of (seed, update)."""

    def block_at(self, update: int) -> int:
        """A uniform draw."""
        return seed_of(self.seed, "block", update) % self.blocks


class Share(OneBlock):
    """GLL: one block after another, each for an equal share of the updates; the last one goes on afterwards."""

    planned = True

    def __init__(self, blocks: int, settings: LearnerSettings | None = None, *, updates: int = 0, seed: int = 0):
        super().__init__(blocks, settings, updates=updates, seed=seed)
        if updates < blocks:
            raise SettingError(
                f"run.frames is enough for {updates} updates, and a greedy schedule shares them out among {blocks} "
                f"blocks; try run.frames of at least {blocks} x env.num_worlds"
            )

    def block_at(self, update: int) -> int:
        """The one whose share it is."""
        return min(update * self.blocks // self.updates, self.blocks - 1)


class Rotate(OneBlock):
    """Turns of `patience` updates, round and round."""

    def __init__(self, blocks: int, settings: GreedySettings, *, updates: int = 0, seed: int = 0):
        super().__init__(blocks, settings, updates=updates, seed=seed)
        self.patience = settings.patience

    def block_at(self, update: int) -> int:
        """The one whose turn it is."""
        return update // self.patience % self.blocks


class Plateau(OneBlock):
    """One block until its loss stops falling, then the next, and after the last the first again.

    It has stopped where the mean loss of a window of `patience` updates is not less, by the share `min_delta`, than
    that of the best window of the turn. Waits for the device once a window.
    """

    def __init__(self, blocks: int, settings: GreedySettings, *, updates: int = 0, seed: int = 0):
        super().__init__(blocks, settings, updates=updates, seed=seed)
        self.patience, self.min_delta = settings.patience, settings.min_delta
        self.block, self.observed = 0, 0
        self.best: float | None = None
        self.total: Tensor = torch.zeros(())  # of the losses in this window

    def block_at(self, update: int) -> int:
        """The one whose loss is still falling."""
        return self.block

    def observe(self, loss: Tensor) -> None:
        """Adds the loss to the window; at its end, decides whether the next block's turn begins."""
        self.total, self.observed = self.total.to(loss.device) + loss, self.observed + 1
        if self.observed < self.patience:
            return
        mean = self.total.item() / self.observed
        if self.best is None or mean < self.best - self.min_delta * abs(self.best):
            self.best = mean
        else:
            self.block, self.best = (self.block + 1) % self.blocks, None
        self.total, self.observed = torch.zeros_like(self.total), 0

    def state_dict(self) -> dict[str, Any]:
        """The block, and what its window has come to."""
        return {name: getattr(self, name) for name in ("block", "observed", "best", "total")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The window goes on; before November 2026 `observed` was called `heard`."""
        for name, value in state.items():
            setattr(self, "observed" if name == "heard" else name, value)


GREEDY: dict[str, Callable[..., Schedule]] = {"share": Share, "rotate": Rotate, "plateau": Plateau}
TURNS = tuple(GREEDY)


def greedy(blocks: int, settings: GreedySettings, *, updates: int = 0, seed: int = 0) -> Schedule:
    """The greedy schedule that `settings.turns` names."""
    return GREEDY[settings.turns](blocks, settings, updates=updates, seed=seed)
