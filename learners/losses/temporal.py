"""Losses made for time: what varies slowly, without collapse. LPL and slow feature analysis."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from envs.errors import SettingError, check_choices
from learners.losses.base import LossSettings, Report
from learners.losses.moments import StaleMoments, moments, off_diagonal_square

EPSILON = 1e-4  # added to variances


def lpl(u: Tensor, v: Tensor, *, hebbian: float, decorrelation: float) -> tuple[Tensor, Tensor, Tensor]:
    """The predictive, Hebbian and decorrelation terms of LPL on two views (B, M) (Halvagal and Zenke 2023, methods).

    `mean (u - v)^2`, `-1/2 sum_views mean_k log(var_k + eps)` and `1/2 sum_views sum_{i != k} C_ik^2 / (M^2 - M)`, the
    last two with their weights; C is the covariance over the batch.
    """
    covariances = [moments(view)[1] for view in (u, v)]
    spread = torch.stack([(covariance.diagonal() + EPSILON).log().mean() for covariance in covariances]).sum()
    shared = torch.stack([off_diagonal_square(covariance) for covariance in covariances]).sum()
    return mse_loss(u, v), -hebbian / 2 * spread, decorrelation / 2 * shared / _off_diagonal(u)


def lpl_stale(
    u: Tensor, v: Tensor, stored: list[tuple[Tensor, Tensor]], *, hebbian: float, decorrelation: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The same terms with each view's mean (M,) and covariance C (M, M) stored before: no row asks for another.

    Of a row z: `-1/2 mean_k (z_k - mean_k)^2 / (var_k + eps)` and `sum_{i != k} C_ik (z_i - mean_i) (z_k - mean_k) /
    (M^2 - M)`, whose gradients are those of `lpl` where the stored moments are the batch's (Halvagal and Zenke 2023,
    equation 6, by their erratum). Over B - 1 rows, as the moments are.
    """
    spread = shared = u.new_zeros(())
    for view, (mean, covariance) in zip((u, v), stored, strict=True):
        centred, variance = view - mean, covariance.diagonal()
        spread = spread + (centred.square() / (variance + EPSILON)).sum() / view.shape[1]
        product = (centred @ (covariance - variance.diag()) * centred).sum()
        shared = shared + product / _off_diagonal(view)
    rows = max(len(u) - 1, 1)
    return mse_loss(u, v), -hebbian / 2 * spread / rows, decorrelation * shared / rows


def sfa(u: Tensor, v: Tensor, *, episode: Tensor, whitening: float) -> Tensor:
    """Slow feature analysis (Wiskott and Sejnowski 2002, equations 1 to 4) as a penalty.

    `mean |u - v|^2 + whitening ||C - I||_F^2` of rows (B, D), where C is the covariance of both views' rows together.
    """
    if whitening <= 0:
        raise SettingError(f"loss.whitening={whitening} lets all features become one constant; try 1")
    _, covariance = moments(torch.cat([u, v]))
    excess = covariance - torch.eye(len(covariance), device=u.device, dtype=u.dtype)
    return (u - v).square().sum(1).mean() + whitening * excess.square().sum()


@dataclass
class SfaSettings(LossSettings):
    """loss=sfa, slow feature analysis."""

    name: str = "sfa"
    kind: str = "sfa"
    whitening: float = 1.0  # weight of the covariance's distance from the identity


@dataclass
class LplSettings(LossSettings):
    """loss=lpl, latent predictive learning."""

    name: str = "lpl"
    kind: str = "lpl"
    hebbian: float = 1.0  # weight of the term that spreads each unit's activity; 0 collapses
    decorrelation: float = 10.0  # weight of the squared covariances of different units
    statistics: str = "batch"  # mean and covariance: of this batch, or stale (of the batch before, so rows are alone)

    def __post_init__(self):
        check_choices(self, group="loss", statistics=("batch", "stale"))
        for name in ("hebbian", "decorrelation"):
            value = getattr(self, name)
            if value < 0:
                raise SettingError(f"loss.{name}={value} would reward what it should avoid; try 0 or more")


class Lpl(StaleMoments):
    """Latent predictive learning (Halvagal and Zenke 2023): predictive, Hebbian and decorrelating plasticity."""

    def __init__(self, settings: LplSettings):
        super().__init__()
        self.settings = settings

    def draw(self, width: int, **init_kwargs) -> None:
        """Makes room for moments, where those of the batch before are asked for."""
        if self.settings.statistics == "stale":
            super().draw(width)

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        """As of any loss; the report has the three terms."""
        weights = {"hebbian": self.settings.hebbian, "decorrelation": self.settings.decorrelation}
        if self.settings.statistics == "stale":
            terms = lpl_stale(u, v, self.swap((u, v)), **weights)
        else:
            terms = lpl(u, v, **weights)
        loss = torch.stack(terms).sum()
        names = ("predictive", "hebbian", "decorrelation")
        return loss, {"loss": loss.detach()} | dict(zip(names, torch.stack(terms).detach(), strict=True))


def _off_diagonal(z: Tensor) -> int:
    """How many pairs of different units there are among those of z (B, M)."""
    return max(z.shape[1] ** 2 - z.shape[1], 1)
