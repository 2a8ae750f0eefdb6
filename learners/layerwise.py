"""One loss a block, and no error between blocks (Tang, Yang and Amit 2022, section 2.3).

Which blocks learn at an update is the schedule: greedy (GLL: one block after another, each for its share of the
updates, those before it frozen), random (RLL: one block drawn at each update) or simultaneous (all of them). Blocks
above the last that learns are not run.
"""

from collections.abc import Callable

import torch
from torch import nn

from envs.errors import SettingError
from learners.end_to_end import Learner
from learners.losses import Report
from learners.networks import Network, prepared
from streams.seeding import seed_of
from streams.types import Pairs

Schedule = Callable[[int], range]  # the update's number to the blocks that learn, counted from 0


def greedy(blocks: int, *, updates: int, seed: int = 0) -> Schedule:
    """Block l learns in the l-th of equal shares of so many updates; the last goes on afterwards."""
    if updates < blocks:
        raise SettingError(
            f"run.frames is enough for {updates} updates, and a greedy schedule shares them out among {blocks} "
            f"blocks; try run.frames of at least {blocks} x env.num_worlds"
        )

    def schedule(update: int) -> range:
        block = min(update * blocks // updates, blocks - 1)
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


class LayerWise(Learner):
    """Every block learns from its own head's loss; its input is detached."""

    heads = "every"

    def __init__(self, network: Network, losses: nn.ModuleList, *, schedule: Schedule, **more):
        super().__init__(network, losses, **more)
        self.schedule = schedule

    def learn(self, pairs: Pairs) -> Report:
        learning, remembering = self.schedule(self.updates), pairs.first is None
        a, b = None if remembering else prepared(pairs.first), prepared(pairs.second)
        report, total = {}, 0.0
        for number, (block, head, criterion) in enumerate(
            zip(self.network.blocks, self.network.heads, self.losses, strict=True)
        ):
            if number == learning.stop and not remembering:
                break
            learns, u = number in learning, None
            if not remembering:
                with torch.set_grad_enabled(learns and not criterion.blocked):  # a blocked view needs no way back
                    a = block(a.detach())
                    u = head(a) if learns else None
            with torch.set_grad_enabled(learns):
                b = block(b.detach())
                v = head(b) if learns or remembering else None
            if learns:
                loss, found = criterion(u, v, episode=pairs.episode, gap=pairs.gap)
                if found:
                    loss.backward()  # at once: nothing of this block need be kept for later
                    total = total + loss.detach()
                report |= {f"block{number + 1}/{name}": value for name, value in found.items()}
            elif remembering:  # any block may be the next to learn
                criterion.keep(v, episode=pairs.episode)
        return report | {"loss": total} if report else report
