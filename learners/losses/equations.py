"""Losses that are one equation, from embeddings u, v (B, D) to a number. `episode` (B,) says what each row shows."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, cross_entropy, mse_loss, normalize

from envs.errors import SettingError
from learners.losses.base import LossSettings
from learners.losses.moments import moments, off_diagonal_square


@dataclass
class NTXentSettings(LossSettings):
    """loss=ntxent, SimCLR's."""

    name: str = "ntxent"
    kind: str = "ntxent"
    temperature: float = 0.5  # by which cosines are divided


@dataclass
class BarlowTwinsSettings(LossSettings):
    """loss=barlow_twins."""

    name: str = "barlow_twins"
    kind: str = "barlow_twins"
    redundancy: float = 5e-3  # weight of what different dimensions share


@dataclass
class VICRegSettings(LossSettings):
    """loss=vicreg."""

    name: str = "vicreg"
    kind: str = "vicreg"
    invariance: float = 25.0  # weight of the distance between the two views
    variance: float = 25.0  # weight of stds that are less than 1
    covariance: float = 1.0  # weight of what different dimensions share


def ntxent(u: Tensor, v: Tensor, *, episode: Tensor, temperature: float) -> Tensor:
    """NT-Xent (Chen et al. 2020, "A simple framework for contrastive learning of visual representations", equation 1).

    `-log exp(s_ij / t) / sum_{k != i} exp(s_ik / t)`, the mean over all 2B rows i of both views; s is the cosine, j the
    other view of i. Rows that show the episode of i are left out of the sum, j excepted.
    """
    if temperature <= 0:
        raise SettingError(f"loss.temperature={temperature} must be more than 0; try 0.5")
    z, episode = normalize(torch.cat([u, v])), episode.repeat(2)  # (2B, D), (2B,)
    positive = torch.arange(len(z), device=z.device).roll(len(u))  # row i's other view
    left_out = episode[:, None] == episode
    left_out.scatter_(1, positive[:, None], False)
    return cross_entropy((z @ z.T / temperature).masked_fill(left_out, -torch.inf), positive)


def barlow_twins(u: Tensor, v: Tensor, *, episode: Tensor, redundancy: float) -> Tensor:
    """Barlow Twins (Zbontar et al. 2021, "Self-supervised learning via redundancy reduction", equation 1).

    `sum_i (1 - C_ii)^2 + redundancy sum_{i != j} C_ij^2`, where C (D, D) is the correlation over the batch of u_i and
    v_j. It has no negatives; what rows show is not asked.
    """
    _check_weights(redundancy=redundancy)
    a, b = standardised(u), standardised(v)
    c = a.T @ b / len(a)
    on = c.diagonal()
    return (1 - on).square().sum() + redundancy * (c.square().sum() - on.square().sum())


def vicreg(u: Tensor, v: Tensor, *, episode: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """VICReg (Bardes, Ponce and LeCun 2022, "Variance-invariance-covariance regularization", equations 1 to 6).

    The mean squared difference of u and v, the mean hinge of the stds at 1 and the squared covariances, each with its
    weight; the variance term is the mean of the two views' as in the authors' code. It has no negatives.
    """
    _check_weights(invariance=invariance, variance=variance, covariance=covariance)
    spread = sum((1 - (z.var(0) + 1e-4).sqrt()).clamp_min(0).mean() for z in (u, v)) / 2
    covaried = sum(off_diagonal_square(moments(z)[1]) / z.shape[1] for z in (u, v))
    return invariance * mse_loss(u, v) + variance * spread + covariance * covaried


def standardised(z: Tensor) -> Tensor:
    """z (B, D) with mean 0 and variance 1 over the batch in every dimension."""
    return batch_norm(z, None, None, training=True)


def _check_weights(**weights: float) -> None:
    for name, value in weights.items():
        if value < 0:
            raise SettingError(f"loss.{name}={value} is negative and would reward what it should avoid; try 0 or more")
