"""Which blocks learn at an update: greedy (GLL), random (RLL; both Tang, Yang and Amit 2022) or simultaneous."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from envs.errors import Needs, SettingError, check_choices
from learners.rules.base import LearnerSettings
from streams.seeding import seed_of


@dataclass
class GreedySettings(LearnerSettings):
    """learner=gll."""

    needs: ClassVar[Needs] = {
        "patience": ("turns", ("rotate", "plateau")),
        "min_delta": ("turns", ("plateau",)),
    }

    turns: str = "share"  # of the blocks: share (of run.frames), or without an end: rotate, plateau (of a block's loss)
    patience: int = 500  # updates that a turn lasts; with plateau, of the windows whose mean losses are compared
    min_delta: float = 0.01  # with plateau: the share by which a window's loss must be less than the best before it

    def __post_init__(self):
        super().__post_init__()
        check_choices(self, group="learner", turns=("share", "rotate", "plateau"))
        if self.patience < 1:
            raise SettingError(f"learner.patience={self.patience} is no turn; try 500")
        if self.min_delta < 0:
            raise SettingError(f"learner.min_delta={self.min_delta} would call a rising loss a fall; try 0.01")


class Schedule:
    """Which of a network's `blocks` learn at each update: the one that `block_at` says, or all of them."""

    def __init__(self, blocks: int, block_at: Callable[[int], int] | None = None, *, shared: bool = False):
        """`shared` says whether it depends on how many updates a run will have."""
        self.blocks, self.block_at, self.shared = blocks, block_at, shared

    def __call__(self, update: int) -> range:
        """The blocks that learn at this update; both are counted from 0."""
        if self.block_at is None:
            return range(self.blocks)
        block = self.block_at(update)
        return range(block, block + 1)

    def observe(self, loss: Tensor) -> None:
        """Takes note of the loss () of the blocks that learned, after each update."""

    def state_dict(self) -> dict[str, Any]:
        """What the next update's blocks depend on; most schedules depend on the number of the update alone."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update's blocks are those that followed the saved ones."""


def simultaneous(blocks: int, settings: LearnerSettings, *, updates: int, seed: int) -> Schedule:
    """Every block at every update."""
    return Schedule(blocks)


def random(blocks: int, settings: LearnerSettings, *, updates: int, seed: int) -> Schedule:
    """RLL: one block an update, uniform, a function of (seed, update)."""
    return Schedule(blocks, lambda update: seed_of(seed, "block", update) % blocks)


def greedy(blocks: int, settings: GreedySettings, *, updates: int, seed: int) -> Schedule:
    """GLL: one block after another, for as long as `settings.turns` says."""
    if settings.turns == "plateau":
        return Plateau(blocks, patience=settings.patience, min_delta=settings.min_delta)
    if settings.turns == "rotate":
        return Schedule(blocks, lambda update: update // settings.patience % blocks)
    if updates < blocks:
        raise SettingError(
            f"run.frames is enough for {updates} updates, and a greedy schedule shares them out among {blocks} "
            f"blocks; try run.frames of at least {blocks} x env.num_worlds"
        )
    return Schedule(blocks, lambda update: min(update * blocks // updates, blocks - 1), shared=True)


class Plateau(Schedule):
    """One block until its loss stops falling, then the next, and after the last the first again.

    It has stopped where the mean loss of a window of `patience` updates is not less, by the share `min_delta`, than
    that of the best window of the turn. Waits for the device once a window.
    """

    def __init__(self, blocks: int, *, patience: int, min_delta: float):
        super().__init__(blocks)
        self.patience, self.min_delta = patience, min_delta
        self.block, self.observed = 0, 0
        self.best: float | None = None
        self.total: Tensor = torch.zeros(())  # of the losses in this window

    def __call__(self, update: int) -> range:
        """The block whose loss is still falling."""
        return range(self.block, self.block + 1)

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
