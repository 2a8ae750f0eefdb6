"""One loss a block, and no error between blocks (Tang, Yang and Amit 2022, section 2.3).

Which blocks learn at an update is the schedule. Blocks above the last that learns are not run, unless views are
remembered.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from learners.losses import Report
from learners.networks.network import Network, normalize
from learners.rules.base import Learner, LearnerSettings
from learners.rules.schedules import Plateau, Schedule
from streams.types import Pairs


@dataclass
class GreedySettings(LearnerSettings):
    """learner=gll"""

    turns: str = "share"  # of the blocks: share (of run.frames), or without an end: rotate, plateau (of a block's loss)
    patience: int = 500  # that a turn lasts; with plateau, of the windows whose mean losses are compared
    min_delta: float = 0.01  # with plateau: the share by which a window's loss must be less than the best before it


class LayerWise(Learner):
    """Every block learns from its own head's loss; its input is detached."""

    heads = "every"

    def __init__(self, network: Network, losses: nn.ModuleList, *, schedule: Schedule, **more):
        super().__init__(network, losses, **more)
        self.schedule = schedule

    def learn(self, pairs: Pairs) -> Report:
        learning, remembering = self.schedule(self.updates), pairs.first is None
        a, b = None if remembering else normalize(pairs.first), normalize(pairs.second)
        report, total = {}, 0.0
        for number, (block, head, criterion) in enumerate(
            zip(self.network.blocks, self.network.heads, self.losses, strict=True)
        ):
            if number == learning.stop and not remembering:
                break
            learns, u = number in learning, None
            if not remembering:
                with torch.set_grad_enabled(
                    learns and not criterion.stop_gradient
                ):  # a view without a gradient needs no way back
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
        if report and isinstance(self.schedule, Plateau):
            self.schedule.observe(total)
        return report | {"loss": total} if report else report

    def state_dict(self) -> dict[str, Any]:
        more = {"schedule": self.schedule.state_dict()} if isinstance(self.schedule, Plateau) else {}
        return super().state_dict() | more

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        if isinstance(self.schedule, Plateau):
            self.schedule.load_state_dict(state["schedule"])
