"""Bio-SFA: slow features by Hebbian feedforward and anti-Hebbian lateral weights."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from envs.errors import SettingError
from learners.losses import Report
from learners.networks.network import Network
from learners.rules.hebbian import Hebbian, HebbianSettings, Seen, correlation, lengths


def feedforward(ys: Tensor, wxx: Tensor) -> Tensor:
    """`<y s^T> - <W x x^T>` (M, ...), the direction of W (Lipshutz et al. 2020, algorithm 1)."""
    return ys - wxx


def lateral(yy: Tensor, m: Tensor) -> Tensor:
    """`<y y^T> - M` (M, M), the direction of the lateral weights M (Lipshutz et al. 2020, algorithm 1)."""
    return yy - m


@dataclass
class BioSfaSettings(HebbianSettings):
    """learner=biosfa."""

    rates: list[float] = field(default_factory=lambda: [0.001])  # of each block; more diverges where inputs are large
    lateral_rate: float = 0.02  # of the lateral weights

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.lateral_rate < 1:
            raise SettingError(f"learner.lateral_rate={self.lateral_rate} must be from 0 to less than 1; try 0.02")


class BioSfa(Hebbian):
    """Lipshutz, Windolf, Golkar and Chklovskii (2020), "A biologically plausible neural network for slow feature
    analysis".

    `s = x_t + x_{t-1}`, `y = M^-1 W s`. The network's convolutions hold `F = M^-1 W`, by which y is reached at once and
    not by recurrent settling; M is kept beside them. Inputs are taken to have mean 0. Averages are over positions.
    """

    settings: BioSfaSettings
    settings_type = BioSfaSettings

    def __init__(self, network: Network, losses: nn.ModuleList, settings: BioSfaSettings, **keywords):
        super().__init__(network, losses, settings, **keywords)
        layers = self.convolutions(network)
        self.lateral = nn.ParameterList(
            nn.Parameter(torch.eye(len(layer.weight)).to(layer.weight), requires_grad=False) for layer in layers
        )

    def factors(self, seen: Seen) -> Tensor:
        """y, of the sum of the views; outputs are linear in inputs."""
        return sum_of(seen.outputs)

    def change(self, seen: Seen, y: Tensor) -> tuple[Tensor, Report]:
        """From `M^-1 W` to the same of their next values, in units of the block's rate; M takes its next value here."""
        layer, rate = seen.layer, self.rate(seen.block)
        m = self.lateral[self.convolutions(self.network).index(layer)]
        positions = self.positions(y)
        w = torch.einsum("ij,jchw->ichw", m, layer.weight)
        wx = torch.einsum("ij,bjhw->bihw", m, seen.outputs[-1])
        ys = self.batch.mean(correlation(layer, sum_of(seen.inputs), y) / positions)
        wxx = self.batch.mean(correlation(layer, seen.inputs[-1], wx) / positions)
        w = w + rate * feedforward(ys, wxx)
        rows = y.transpose(0, 1).flatten(1)  # (M, P)
        m.add_(lateral(self.batch.mean(rows @ rows.T / positions), m), alpha=self.settings.lateral_rate)
        solved = torch.linalg.solve(m, w.flatten(1)).view_as(w)
        return (solved - layer.weight) / (rate or 1), {"length": lengths(layer.weight).mean()}

    def state_dict(self) -> dict[str, Any]:
        """Everything the next update depends on, the lateral weights too."""
        return super().state_dict() | {"lateral": self.lateral.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update is the one that followed the saved ones."""
        super().load_state_dict(state)
        self.lateral.load_state_dict(state["lateral"])


def sum_of(views: list[Tensor]) -> Tensor:
    """The later view and the earlier one, added; the later twice where there is no other."""
    return views[0] + views[-1]
