"""BYOL: what a slow copy of the network makes of one view is predicted from the other."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import normalize

from envs.errors import SettingError
from learners.losses.base import Loss, LossSettings, Report
from learners.networks.feedback import Linear


def byol(prediction: Tensor, target: Tensor) -> Tensor:
    """`2 - 2 cos(prediction, target)`, the mean over rows (B, D) (Grill et al. 2020, equation 2)."""
    return 2 - 2 * (normalize(prediction) * normalize(target.detach())).sum(1).mean()


@dataclass
class ByolSettings(LossSettings):
    """loss=byol."""

    name: str = "byol"
    kind: str = "byol"
    momentum: float = 0.99  # of the slow copy: the share of its weights that an update leaves
    hidden: int = 128  # units of the predictor's hidden layer

    def __post_init__(self):
        if not 0 <= self.momentum < 1:
            raise SettingError(f"loss.momentum={self.momentum} must be from 0 to less than 1; try 0.99")
        if self.hidden < 1:
            raise SettingError(f"loss.hidden={self.hidden} is no layer; try 128")


class Byol(Loss):
    """Grill et al. (2020), "Bootstrap your own latent", on pairs in time as in CLTT (Schneider et al. 2021).

    `L = byol(q(u), v') + byol(q(v), u')`, u' and v' the slow copy's embeddings, q a hidden layer with rectification and
    a linear one. The error crosses q by its feedback weights, as any layer.
    """

    compares_with = "slow_copy"

    def __init__(self, settings: ByolSettings):
        super().__init__()
        self.settings, self.momentum = settings, settings.momentum

    def draw(self, width: int, **init_kwargs) -> None:
        """Draws the predictor for embeddings of `width` dimensions."""
        self.hidden = Linear((self.settings.hidden, width), **init_kwargs)
        self.out = Linear((width, self.settings.hidden), **init_kwargs)

    def predict(self, z: Tensor) -> Tensor:
        """q(z) (B, D)."""
        return self.out(self.hidden(z).relu())

    def forward(
        self,
        u: Tensor,
        v: Tensor,
        *,
        episode: Tensor,
        gap: Tensor | None = None,
        others: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Report]:
        """As of any loss; `others` are the slow copy's embeddings of both views, the network's own where not given."""
        slow_u, slow_v = others or (u, v)
        loss = byol(self.predict(u), slow_v) + byol(self.predict(v), slow_u)
        return loss, {"loss": loss.detach()}

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) of each v from what is predicted of each u, on the sphere."""
        return super().distances(normalize(self.predict(u)), normalize(v))
