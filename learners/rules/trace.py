"""The trace rule: what follows one another in time is bound to the same units."""

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.errors import SettingError, check_choices
from learners.losses import Report
from learners.rules.hebbian import Hebbian, HebbianSettings, Seen, correlation, lengths


def trace(now: Tensor, before: Tensor, *, eta: float) -> Tensor:
    """`y_t = (1 - eta) y_t + eta y_{t-1}`: activity with a memory of the moment before (Foldiak 1991, equation 2)."""
    return (1 - eta) * now + eta * before


def one_winner(u: Tensor) -> Tensor:
    """1 for the unit of largest u among the channels of (B, M, ...), 0 for the others (Foldiak 1991)."""
    return torch.zeros_like(u).scatter_(1, u.argmax(1, keepdim=True), 1.0)


def inhibited(u: Tensor) -> Tensor:
    """`relu(u - mean over channels)`: lateral inhibition (VisNet; Wallis and Rolls 1997)."""
    return (u - u.mean(1, keepdim=True)).relu()


def foldiak(yx: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """`sum_P y_k (x - w_k)` (M, ...), from `yx` = sum_P y_k x and `y` (M,) = sum_P y_k (Foldiak 1991, equation 3)."""
    return yx - y.view(-1, *[1] * (weight.ndim - 1)) * weight


def visnet(yx: Tensor, weight: Tensor, *, rate: float) -> Tensor:
    """The change (M, ...) from w to `(w + rate yx) / |w + rate yx|` of each unit (Wallis and Rolls 1997)."""
    moved = weight + rate * yx
    return moved / lengths(moved).clamp_min(1e-12).view(-1, *[1] * (weight.ndim - 1)) - weight


@dataclass
class TraceSettings(HebbianSettings):
    """learner=trace."""

    form: str = "foldiak"  # w goes to the mean of what it wins; or visnet: it follows the correlation, at length 1
    eta: float = 0.8  # share of the moment before in the trace

    def __post_init__(self):
        super().__post_init__()
        check_choices(self, group="learner", form=("foldiak", "visnet"))
        if not 0 <= self.eta <= 1:
            raise SettingError(f"learner.eta={self.eta} must be from 0 to 1; try 0.8")


class Trace(Hebbian):
    """Foldiak (1991), "Learning invariance from transformation sequences", and VisNet's form of it.

    The trace is over the two frames of a pair, so `pairs.gap` steps long; sums are means over positions.
    """

    settings: TraceSettings
    settings_type = TraceSettings

    def factors(self, seen: Seen) -> Tensor:
        """The trace at the later view."""
        compete = one_winner if self.settings.form == "foldiak" else inhibited
        return trace(compete(seen.outputs[-1]), compete(seen.outputs[0]), eta=self.settings.eta)

    def change(self, seen: Seen, y: Tensor) -> tuple[Tensor, Report]:
        """The rule's step."""
        weight, positions = seen.layer.weight, self.positions(y)
        yx = self.batch.mean(correlation(seen.layer, seen.inputs[-1], y) / positions)
        if self.settings.form == "visnet":
            rate = self.rate(seen.block)
            step = visnet(yx, weight, rate=rate) / (rate or 1)
        else:
            step = foldiak(yx, self.batch.mean(y.sum((0, 2, 3)) / positions), weight)
        return step, {"length": lengths(weight).mean()}
