"""SoftHebb: soft competition, and a Hebbian step whose losers unlearn."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from envs.errors import SettingError
from learners.losses import Report
from learners.rules.hebbian import Hebbian, HebbianSettings, Seen, correlation, lengths


def competition(u: Tensor, *, beta: float) -> Tensor:
    """`softmax_k(beta u_k)` over channels of u (B, M, ...), negated for all but the winner (Journe et al. 2023, eq. 2).

    The winner of each position is its unit of largest u; the others have an anti-Hebbian step.
    """
    y = (beta * u).softmax(1)
    winner = torch.zeros_like(y).scatter_(1, u.argmax(1, keepdim=True), 2.0)
    return y * (winner - 1)


def softhebb(yx: Tensor, yu: Tensor, weight: Tensor) -> Tensor:
    """`sum_P y_k (x - u_k w_k)` of weights w (M, ...), divided by its largest magnitude (Journe et al. 2023, eq. 1).

    `yx` (M, ...) is `sum_P y_k x`, `yu` (M,) is `sum_P y_k u_k`.
    """
    change = yx - yu.view(-1, *[1] * (weight.ndim - 1)) * weight
    return change / change.abs().max().clamp_min(1e-30)


def adaptive(weight: Tensor, *, power: float) -> Tensor:
    """`|length - 1|^power` (M,) of each unit of weights (M, ...): units slow down as they near length 1."""
    return ((lengths(weight) - 1).abs() + 1e-10).pow(power)


@dataclass
class SoftHebbSettings(HebbianSettings):
    """learner=softhebb."""

    rates: list[float] = field(default_factory=lambda: [0.08, 0.005, 0.01])  # of each block, as in the paper
    betas: list[float] = field(default_factory=lambda: [1.0, 0.65, 0.25])  # 1 / temperature of each block, likewise
    power: float = 0.5  # of |length - 1|, by which a unit's rate is multiplied; 0 for one rate

    def __post_init__(self):
        super().__post_init__()
        if not self.betas or min(self.betas) <= 0:
            raise SettingError(f"learner.betas={list(self.betas)} must be more than 0; try [1.0]")
        if self.power < 0:
            raise SettingError(f"learner.power={self.power} would speed units up as they settle; try 0.5")


class SoftHebb(Hebbian):
    """Journe, Rodriguez, Guo and Moraitis (2023), "Hebbian deep learning without feedback". It ignores pairs.

    Learns from the later view. An update is scaled by its own largest magnitude, which alone is of all rows.
    """

    settings: SoftHebbSettings
    settings_type = SoftHebbSettings
    both_views = False

    def factors(self, seen: Seen) -> Tensor:
        """The signed soft competition of the units."""
        betas = self.settings.betas
        return competition(seen.outputs[-1], beta=betas[min(seen.block, len(betas)) - 1])

    def change(self, seen: Seen, y: Tensor) -> tuple[Tensor, Report]:
        """The rule's step, each unit's by its distance from length 1."""
        (x,), (u,), weight = seen.inputs, seen.outputs, seen.layer.weight
        yx, yu = self.batch.total(correlation(seen.layer, x, y)), self.batch.total((y * u).sum((0, 2, 3)))
        step = softhebb(yx, yu, weight)
        speed = adaptive(weight, power=self.settings.power)
        return step * speed.view(-1, 1, 1, 1), {"length": lengths(weight).mean(), "winners": winners(y)}


def winners(y: Tensor) -> Tensor:
    """The share () of units that win somewhere, of y (B, M, H, W) that is positive where they do."""
    return (y > 0).any(0).flatten(1).any(1).double().mean()
