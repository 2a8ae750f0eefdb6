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
    blocks: int, *, updates: int, seed: int = 0, turns: str = "share", turn_updates: int = 500, turn_gain: float = 0.01
) -> Schedule:
    """One block after another. `share`: each has an equal share of so many updates, and the last goes on afterwards.

    Two more need no end. `rotate`: turns of `turn_updates`, round and round. `plateau`: see Plateau; round and round.
    """
    if turns not in TURNS:
        raise unknown("learner.turns", turns, TURNS)
    if turn_updates < 1:
        raise SettingError(f"learner.turn_updates={turn_updates} is no turn; try 500")
    if turn_gain < 0:
        raise SettingError(f"learner.turn_gain={turn_gain} would call a rising loss a fall; try 0.01")
    if turns == "plateau":
        return Plateau(blocks, window=turn_updates, gain=turn_gain)
    if turns == "share" and updates < blocks:
        raise SettingError(
            f"run.frames is enough for {updates} updates, and a greedy schedule shares them out among {blocks} "
            f"blocks; try run.frames of at least {blocks} x env.num_worlds"
        )

    def schedule(update: int) -> range:
        block = min(update * blocks // updates, blocks - 1) if turns == "share" else update // turn_updates % blocks
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
        self.block, self.heard, self.best = 0, 0, None
        self.total: Tensor = torch.zeros(())  # of the losses heard in this window

    def __call__(self, update: int) -> range:
        return range(self.block, self.block + 1)

    def hear(self, loss: Tensor) -> None:
        """The loss () of the block that learns, after each update."""
        self.total, self.heard = self.total.to(loss.device) + loss, self.heard + 1
        if self.heard < self.window:
            return
        mean = self.total.item() / self.heard
        if self.best is None or mean < self.best - self.gain * abs(self.best):
            self.best = mean
        else:
            self.block, self.best = (self.block + 1) % self.blocks, None
        self.total, self.heard = torch.zeros_like(self.total), 0

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("block", "heard", "best", "total")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
