"""CLAPP: is the later view what the earlier one predicts, or another episode's?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.devices import upload
from envs.errors import SettingError, check_choices
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
    context: str = "same"  # what predicts: same (the other view's same block), top (its top block), or both
    symmetric: bool = False  # whether either view is predicted from the other, as in CLAPP++

    def __post_init__(self):
        check_choices(self, group="loss", context=("same", "top", "both"))
        if self.symmetric and self.stop_gradient:
            raise SettingError(
                "loss.symmetric=true has both views predicted, and loss.stop_gradient=true lets one learn alone; set "
                "loss.stop_gradient=false (contexts are detached all the same)"
            )


class Clapp(Loss):
    """Illing, Ventura, Bellec and Gerstner (2021), "Local plasticity rules can learn deep representations".

    `s_ij = v_j^T W u_i`, with a W for each head, which learns; where the gap is drawn, one W serves all gaps. The error
    goes to u through W's feedback weights, as through any layer's, unless `stop_gradient`.

    CLAPP++ (2026) has other contexts than u, through which no error goes: `s_ij = v_j^T (W u_i + W_top c_i)`, c being
    the earlier view's embedding at the top, with either term alone or both; and, if `symmetric`, the same with the
    views exchanged, of which the loss is the mean.
    """

    def __init__(self, settings: ClappSettings):
        super().__init__()
        self.settings, self.stop_gradient = settings, settings.stop_gradient
        self.compares_with = "top" if settings.context != "same" else ""

    def draw(self, width: int, **init_kwargs) -> None:
        """Draws W (width, width), and W_top (width, top_width)."""
        if self.settings.context != "top":
            self.prediction = Linear((width, width), **init_kwargs)
        if self.settings.context != "same":
            self.from_top = Linear((width, self.top_width or width), **init_kwargs)

    def forward(
        self,
        u: Tensor,
        v: Tensor,
        *,
        episode: Tensor,
        gap: Tensor | None = None,
        others: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Report]:
        """As of any loss; the report has the share of active hinges and the mean scores.

        `others` are the embeddings of both views at the top; where not given, u and v are.
        """
        episode = upload(episode, v.device)
        negative = episode[:, None] != episode
        first, second = others or (u, v)
        score = self.predict(u, first) @ v.T  # (B, B)
        loss = clapp(score, negative)
        if self.settings.symmetric:
            loss = (loss + clapp(self.predict(v, second) @ u.T, negative)) / 2
        with torch.no_grad():
            count = negative.sum().clamp_min(1)
            report = {
                "active": ((score > -1) * negative).sum() / count,
                "positive_score": score.diagonal().mean(),
                "negative_score": (score * negative).sum() / count,
            }
        return loss, {"loss": loss.detach()} | report

    def predict(self, context: Tensor, top: Tensor) -> Tensor:
        """What contexts (B, D) of the same block and (B, D') of the top predict (B, D) of the other view."""
        if self.stop_gradient or self.settings.symmetric:
            context = context.detach()
        parts = [self.prediction(context)] if self.settings.context != "top" else []
        parts += [self.from_top(top.detach())] if self.settings.context != "same" else []
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) of each v from what each context predicts, `W u`; of the top's alone, as they are."""
        return super().distances(u if self.settings.context == "top" else self.prediction(u), v)
