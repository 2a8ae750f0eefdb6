"""One loss a block, and no error between blocks (Tang, Yang and Amit 2022, section 2.3).

Which blocks learn at an update is the schedule. Blocks above the last that learns are not run, unless views are
remembered.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from learners.distributed import Compared
from learners.losses import Report
from learners.losses.base import losses_of
from learners.networks.blocks import Block
from learners.networks.network import Network
from learners.rules.base import Learner, LearnerSettings, loss_of
from learners.rules.schedules import GreedySettings, Schedule, greedy, random, simultaneous
from streams.types import Pairs


class Simultaneous(Learner):
    """Every block learns from its own head's loss; its input is detached."""

    heads = "every"
    make_schedule: Callable[..., Schedule] = staticmethod(simultaneous)

    def __init__(self, network: Network, losses: nn.ModuleList, settings: LearnerSettings, *, updates: int = 0, **rest):
        super().__init__(network, losses, settings, updates=updates, **rest)
        self.schedule = self.make_schedule(len(network.blocks), settings, updates=updates, seed=self.seed)
        self.shares_updates = self.schedule.shared

    def learn(self, pairs: Pairs) -> Report:
        """Sends each learning block's loss down to its own weights and no further."""
        learning, losses = self.schedule(self.updates), losses_of(self.losses)
        report: Report = {}
        total: Tensor | None = None
        heads = self.batch.gathered(self._heads(pairs, learning))
        for head, number in zip(heads, learning, strict=True):
            loss, of_block = loss_of(losses[number], head)
            if of_block:
                loss.backward()  # at once: one process need keep nothing of this block for later
                total = loss.detach() if total is None else total + loss.detach()
            report |= {f"block{number + 1}/{name}": value for name, value in of_block.items()}
        if total is None:
            return report
        self.schedule.observe(self.batch.mean_loss(total))
        return report | {"loss": total}

    def _heads(self, pairs: Pairs, learning: range) -> Iterator[Compared]:
        """What the learning blocks' losses compare, block by block; what others remember is kept on the way."""
        remembering, others = pairs.first is None, self.others(pairs)
        a, b = (None if images is None else self.network.normalize(images) for images in pairs[:2])
        assert b is not None
        parts = zip(self.network.blocks, self.network.heads, losses_of(self.losses), strict=True)
        for number, (block, head, criterion) in enumerate(parts):
            if number == learning.stop and not remembering:
                return
            learns, u = number in learning, None
            if a is not None:
                u, a = step(block, head if learns else None, a, learns=learns and not criterion.stop_gradient)
            v, b = step(block, head if learns or remembering else None, b, learns=learns)
            if learns and v is not None:
                yield Compared(u, v, pairs, others[number])
            elif v is not None:  # any block may be the next to learn
                self.keep(criterion, v, pairs=pairs)

    def clone_all_blocks(self) -> Learner:
        """A copy whose schedule is every block at every update."""
        clone = deepcopy(self)
        clone.schedule = Schedule(len(clone.network.blocks))
        return clone

    def clones_by_turn(self) -> Sequence[Learner]:
        """A copy for each block that the schedule has learn alone."""
        blocks = len(self.network.blocks)
        if len(self.schedule(0)) == blocks:
            return [self.clone_all_blocks()]

        def alone(block: int) -> Learner:
            clone = deepcopy(self)
            clone.schedule = Schedule(blocks, lambda update: block)
            return clone

        return [alone(block) for block in range(blocks)]

    def own_objective(self) -> Learner:
        """A copy whose heads send each block the true gradient of its own loss."""
        return self.clone_with_backprop().clone_all_blocks()

    def state_dict(self) -> dict[str, Any]:
        """Everything the next update depends on, the schedule's state where it has one."""
        state = self.schedule.state_dict()
        return super().state_dict() | ({"schedule": state} if state else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update is the one that followed the saved ones."""
        super().load_state_dict(state)
        self.schedule.load_state_dict(state.get("schedule", {}))


def step(block: nn.Module, head: nn.Module | None, x: Tensor, *, learns: bool) -> tuple[Tensor | None, Tensor]:
    """What a head makes of a block's activity (None without a head), and the block's output; x is detached."""
    with torch.set_grad_enabled(learns):
        assert isinstance(block, Block)
        read, output = block.read(x.detach())
        return None if head is None else head(read), output


class Greedy(Simultaneous):
    """GLL: the blocks learn one after another."""

    settings_type = GreedySettings
    make_schedule = staticmethod(greedy)


class Random(Simultaneous):
    """RLL: one block, drawn anew at each update, learns."""

    make_schedule = staticmethod(random)
