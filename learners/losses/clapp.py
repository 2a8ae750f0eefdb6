"""CLAPP: is the later view what the earlier one predicts, or another episode's?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.devices import upload
from learners.losses.base import Loss, LossSettings, Report
from learners.networks.feedback import Linear


def clapp(score: Tensor, negative: Tensor) -> Tensor:
    """The hinges of Illing et al. (2021, equations 1 and 2), the mean over contexts i.

    `[1 - s_ii]_+ + mean_j [1 + s_ij]_+`, of scores s (B, B) of view j against what context i predicts, over those j
    that `negative` (B, B) bool says show another episode.
    """
    pull = (1 - score.diagonal()).clamp_min(0)
    push = (1 + score).clamp_min(0) * negative
    return (pull + push.sum(1) / negative.sum(1).clamp_min(1)).mean()


@dataclass
class ClappSettings(LossSettings):
    """loss=clapp."""

    name: str = "clapp"
    kind: str = "clapp"
    stop_gradient: bool = True  # no error goes through the earlier view


class Clapp(Loss):
    """Illing, Ventura, Bellec and Gerstner (2021), "Local plasticity rules can learn deep representations".

    `s_ij = v_j^T W u_i`, with a W for each head, which learns; where the gap is drawn, one W serves all gaps. The error
    goes to u through W's feedback weights, as through any layer's, unless `stop_gradient`.
    """

    def __init__(self, settings: ClappSettings):
        super().__init__()
        self.stop_gradient = settings.stop_gradient

    def draw(self, width: int, **init_kwargs) -> None:
        """Draws W (width, width)."""
        self.prediction = Linear((width, width), **init_kwargs)

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        """As of any loss; the report has the share of active hinges and the mean scores."""
        episode = upload(episode, u.device)
        negative = episode[:, None] != episode
        score = self.prediction(u.detach() if self.stop_gradient else u) @ v.T  # (B, B)
        loss = clapp(score, negative)
        with torch.no_grad():
            count = negative.sum().clamp_min(1)
            report = {
                "active": ((score > -1) * negative).sum() / count,
                "positive_score": score.diagonal().mean(),
                "negative_score": (score * negative).sum() / count,
            }
        return loss, {"loss": loss.detach()} | report

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) of each v from what each context predicts, `W u`."""
        return super().distances(self.prediction(u), v)
