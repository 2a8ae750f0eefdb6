"""Rules that no error reaches: a convolution's weights follow from its own inputs and outputs.

Legend: x (B, C, H, W) what a convolution sees, u = w * x (B, M, H', W') its output, y (B, M, H', W') what of it a rule
correlates with the input, P positions of all pictures. Each position is a case of its own, as in a dense layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.grad import conv2d_weight

from envs.errors import SettingError
from learners.losses import Report
from learners.networks.blocks import blocks_of
from learners.networks.feedback import Conv
from learners.networks.network import Network
from learners.rules.base import Learner, LearnerSettings
from streams.types import Pairs


@dataclass
class HebbianSettings(LearnerSettings):
    """What the rules without errors share."""

    lr: float = 1.0  # by which the blocks' rates are multiplied
    optimiser: str = "sgd"  # which takes what a rule says as it is
    rates: list[float] = field(default_factory=lambda: [0.05])  # of each block; the last stands for those above, too

    def __post_init__(self):
        super().__post_init__()
        if not self.rates or min(self.rates) < 0:
            raise SettingError(f"learner.rates={list(self.rates)} must be rates of 0 or more; try [0.05]")


class Seen(NamedTuple):
    """A convolution and what it did with the views, the earlier before the later, in one update."""

    block: int  # counted from 1
    layer: Conv
    inputs: list[Tensor]
    outputs: list[Tensor]


def correlation(layer: Conv, x: Tensor, y: Tensor) -> Tensor:
    """`sum_P y x^T`, of the shape of the layer's weights (M, C, k, k): each position's patch times its activity."""
    stride, padding = layer.geometry()
    return conv2d_weight(layer.padded(x), list(layer.weight.shape), y, stride=stride, padding=padding)


class Hebbian(Learner):
    """Every block learns at every update, from the pictures alone. Abstract: `factors` and `change` are the rule."""

    settings: HebbianSettings
    settings_type = HebbianSettings
    without_feedback = "a Hebbian rule, which no error reaches"
    both_views = True  # whether the earlier view is looked at as well

    @torch.no_grad()
    def learn(self, pairs: Pairs) -> Report:
        """Leaves in each convolution what takes it, by a step of its rate, where the rule says."""
        report: Report = {}
        for seen in self.seen(pairs):
            change, numbers = self.change(seen, self.factors(seen))
            seen.layer.weight.grad = -self.rate(seen.block) * change
            report |= {f"block{seen.block}/{name}": value for name, value in numbers.items()}
        return report

    def factors(self, seen: Seen) -> Tensor:
        """What of a convolution's outputs its inputs are correlated with: y (B, M, H', W')."""
        raise NotImplementedError

    def change(self, seen: Seen, y: Tensor) -> tuple[Tensor, Report]:
        """Where the weights (M, C, k, k) are to go, in units of the rate, and what to watch of it."""
        raise NotImplementedError

    def positions(self, y: Tensor) -> int:
        """How many positions of y (B, M, H, W) there are; at least 1, of no rows."""
        return max(y.numel() // y.shape[1], 1)

    def rate(self, block: int) -> float:
        """The rate of a block, counted from 1."""
        return self.settings.rates[min(block, len(self.settings.rates)) - 1]

    def seen(self, pairs: Pairs) -> Iterator[Seen]:
        """Every convolution from the pixels up, with what it did with these pairs."""
        images = [view for view in (pairs.first if self.both_views else None, pairs.second) if view is not None]
        x = [self.network.normalize(view) for view in images]
        for number, block in enumerate(blocks_of(self.network.blocks), 1):
            outputs: list[list[Tensor]] = [[] for _ in x]
            tops = [block(view, kept) for view, kept in zip(x, outputs, strict=True)]
            for at, layer in enumerate(block):
                if isinstance(layer, Conv):
                    below = x if at == 0 else [kept[at - 1] for kept in outputs]
                    yield Seen(number, layer, below, [kept[at] for kept in outputs])
            x = tops

    @torch.no_grad()
    def row_factors(self, pairs: Pairs) -> list[Tensor]:
        """What each row's inputs are correlated with, (B, ...) for each convolution."""
        return [self.factors(seen) for seen in self.seen(pairs)]

    def feedback_alignment(self, pairs: Pairs) -> list[dict[str, Tensor]]:
        """Nothing: there is no way back."""
        return [{} for _ in self.network.blocks]

    @classmethod
    def convolutions(cls, network: Network) -> list[Conv]:
        """The convolutions of a network, from the pixels up."""
        return [layer for block in blocks_of(network.blocks) for layer in block if isinstance(layer, Conv)]


def lengths(weight: Tensor) -> Tensor:
    """The length (M,) of each unit's weights (M, ...)."""
    return weight.flatten(1).norm(dim=1)
