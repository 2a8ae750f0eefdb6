"""One loss a block, and no error between blocks (Tang, Yang and Amit 2022, section 2.3).

Which blocks learn at an update is the schedule: greedy (GLL: one block after another, each for its share of the
updates, those before it frozen), random (RLL: one block drawn at each update) or simultaneous (all of them). Blocks
above the last that learns are not run.
"""

from collections.abc import Callable

import torch

from learners.end_to_end import Learner
from learners.losses import Report
from learners.networks import Network, prepared
from streams.seeding import seed_of
from streams.types import Pairs

Schedule = Callable[[int], range]  # the update's number to the blocks that learn, counted from 0


def greedy(blocks: int, *, updates: int) -> Schedule:
    """Block l learns in the l-th of equal shares of so many updates; the last goes on afterwards."""

    def schedule(update: int) -> range:
        block = min(update * blocks // updates, blocks - 1)
        return range(block, block + 1)

    return schedule


def random(blocks: int, *, seed: int) -> Schedule:
    """One block an update, uniform, a function of (seed, update)."""

    def schedule(update: int) -> range:
        block = seed_of(seed, "block", update) % blocks
        return range(block, block + 1)

    return schedule


def simultaneous(blocks: int) -> Schedule:
    """Every block at every update."""
    return lambda update: range(blocks)


class LayerWise(Learner):
    """Every block learns from its own head's loss; its input is detached."""

    def __init__(self, network: Network, loss, *, lr: float, schedule: Schedule):
        super().__init__(network, loss, lr=lr)
        self.schedule = schedule

    def learn(self, pairs: Pairs) -> Report:
        learning = self.schedule(self.updates)
        a, b = prepared(pairs.first), prepared(pairs.second)
        report, total = {}, 0.0
        for number, (block, head) in enumerate(zip(self.network.blocks, self.network.heads, strict=True)):
            if number == learning.stop:
                break
            learns = number in learning
            with torch.set_grad_enabled(learns and not self.loss.blocked):  # a remembered view needs no way back
                a = block(a.detach())
                u = head(a) if learns else None
            with torch.set_grad_enabled(learns):
                b = block(b.detach())
            if learns:
                loss, found = self.loss(u, head(b), episode=pairs.episode)
                total = total + loss
                report |= {f"block{number + 1}/{name}": value for name, value in found.items()}
        total.backward()
        return report | {"loss": total.detach()}
