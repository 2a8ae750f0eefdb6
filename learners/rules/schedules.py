"""Which blocks learn at an update: greedy (GLL), random (RLL; both Tang, Yang and Amit 2022) or simultaneous."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from envs.errors import SettingError, unknown
from streams.seeding import seed_of

Schedule = Callable[[int], range]  # the update's number to the blocks that learn, both counted from 0
TURNS = ("share", "rotate", "plateau")


def greedy(
    blocks: int, *, updates: int, seed: int = 0, turns: str = "share", patience: int = 500, min_delta: float = 0.01
) -> Schedule:
    """One block after another. `share`: each has an equal share of so many updates, and the last goes on afterwards.

    Two more need no end. `rotate`: turns of `patience`, round and round. `plateau`: see Plateau; round and round.
    """
    if turns not in TURNS:
        raise unknown("learner.turns", turns, TURNS)
    if patience < 1:
        raise SettingError(f"learner.patience={patience} is no turn; try 500")
    if min_delta < 0:
        raise SettingError(f"learner.min_delta={min_delta} would call a rising loss a fall; try 0.01")
    if turns == "plateau":
        return Plateau(blocks, window=patience, gain=min_delta)
    if turns == "share" and updates < blocks:
        raise SettingError(
            f"run.frames is enough for {updates} updates, and a greedy schedule shares them out among {blocks} "
            f"blocks; try run.frames of at least {blocks} x env.num_worlds"
        )

    def schedule(update: int) -> range:
        block = min(update * blocks // updates, blocks - 1) if turns == "share" else update // patience % blocks
        return range(block, block + 1)

    return schedule


def random(blocks: int, *, seed: int, updates: int = 0) -> Schedule:
    """One block an update, uniform, a function of (seed, update)."""

    def schedule(update: int) -> range:
        block = seed_of(seed, "block", update) % blocks
        return range(block, block + 1)

    return schedule


def simultaneous(blocks: int, *, updates: int = 0, seed: int = 0) -> Schedule:
    """Every block at every update."""
    return lambda update: range(blocks)


SCHEDULES = {"greedy": greedy, "random": random, "simultaneous": simultaneous}


class Plateau:
    """One block until its loss stops falling, then the next, and after the last the first again.

    It has stopped where the mean loss of a window of updates is not less, by the share `gain`, than that of the best
    window of the turn. Waits for the device once a window.
    """

    def __init__(self, blocks: int, *, window: int, gain: float):
        self.blocks, self.window, self.gain = blocks, window, gain
        self.block, self.observed, self.best = 0, 0, None
        self.total: Tensor = torch.zeros(())  # of the losses observed in this window

    def __call__(self, update: int) -> range:
        return range(self.block, self.block + 1)

    def observe(self, loss: Tensor) -> None:
        """The loss () of the block that learns, after each update."""
        self.total, self.observed = self.total.to(loss.device) + loss, self.observed + 1
        if self.observed < self.window:
            return
        mean = self.total.item() / self.observed
        if self.best is None or mean < self.best - self.gain * abs(self.best):
            self.best = mean
        else:
            self.block, self.best = (self.block + 1) % self.blocks, None
        self.total, self.observed = torch.zeros_like(self.total), 0

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("block", "observed", "best", "total")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
