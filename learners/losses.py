"""What a pair should look like: losses of embeddings u (B, D) of the first views and v (B, D) of the second."""

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.errors import SettingError, unknown

Report = dict[str, Tensor]  # detached scalars


def hinge_of_distances(distance: Tensor, positive: Tensor, negative: Tensor, loss: "Hinge") -> Tensor:
    """The contrastive hinge (Tang, Yang and Amit 2022) of N anchors from distances (N, M), the mean over anchors.

    `L = 1/N sum_i ([d_i+ - m_pos]_+ + sum_j w_ij [m_neg - d_ij]_+)`; `positive` (N,) are the d_i+, `negative` (N, M)
    bool says which j are negatives of i, and w is 1, or 1 / (number of i's negatives inside the margin).
    """
    pull = (positive - loss.positive_margin).clamp_min(0)
    push = (loss.negative_margin - distance).clamp_min(0) * negative
    if loss.average == "violators":
        push = push / (push.detach() > 0).sum(1, keepdim=True).clamp_min(1)
    return (pull + push.sum(1)).mean()


@dataclass(frozen=True)
class Hinge:
    """The contrastive hinge in the paper's forms. Distances are L1; rows of one episode are no negatives of each other.

    Raises:
        SettingError: a value that means nothing, when it is made.
    """

    name: str = "hinge"
    anchors: str = "first"  # first: u_i against all v_j. both: every row of u and v against all the others
    positive_margin: float = 1.0
    negative_margin: float = 3.0
    blocked: bool = True  # u is remembered activity, through which no error goes
    negatives: int = 0  # how many other rows each anchor is kept from, each counting 1/n; 0 for all, each counting 1
    average: str = "sum"  # of an anchor's negatives: sum, or the mean over violators, those inside the margin

    def __post_init__(self):
        if self.anchors not in ("first", "both"):
            raise unknown("loss.anchors", self.anchors, ("first", "both"))
        if self.average not in ("sum", "violators"):
            raise unknown("loss.average", self.average, ("sum", "violators"))
        if self.negatives < 0:
            raise SettingError(f"loss.negatives={self.negatives} must be 0 (all) or more")
        if not 0 <= self.positive_margin < self.negative_margin:
            raise SettingError(
                f"loss.negative_margin={self.negative_margin} must be larger than loss.positive_margin="
                f"{self.positive_margin}, which must not be negative; try 3 and 1"
            )
        if self.anchors == "both" and (self.blocked or self.negatives):
            raise SettingError(
                "loss.anchors=both has every row as anchor and as other, so it has no gradient block and takes all "
                "negatives; set loss.blocked=false loss.negatives=0"
            )

    def __call__(self, u: Tensor, v: Tensor, *, episode: Tensor) -> tuple[Tensor, Report]:
        """The loss of embeddings u, v (B, D) whose rows show episodes (B,), and what to watch of it."""
        if self.blocked:
            u = u.detach()
        episode = episode.to(u.device, non_blocking=True)
        if self.anchors == "both":
            rows, episode = torch.cat([u, v]), episode.repeat(2)
            distance = torch.cdist(rows, rows, p=1)  # (2B, 2B)
            positive = distance.diagonal(len(u)).repeat(2)
            negative = episode[:, None] != episode
        elif self.negatives:
            distance, negative = self._some(u, v, episode)  # (B, n)
            positive = (u - v).abs().sum(1)
        else:
            distance = torch.cdist(u, v, p=1)  # (B, B)
            positive = distance.diagonal()
            negative = episode[:, None] != episode
        if self.negatives and self.average == "sum":
            loss = hinge_of_distances(distance, positive, negative.to(distance.dtype) / distance.shape[1], self)
        else:
            loss = hinge_of_distances(distance, positive, negative, self)
        return loss, _report(loss, distance, positive, negative, self)

    def terms(self, pairs: int) -> int:
        """How many anchors the loss of so many pairs is the mean over."""
        return pairs * (2 if self.anchors == "both" else 1)

    def _some(self, u: Tensor, v: Tensor, episode: Tensor) -> tuple[Tensor, Tensor]:
        """Distances (B, n) to n others, which lie at n even steps round the batch, and whether each is a negative."""
        count = min(self.negatives, len(u) - 1)
        steps = [1 + (len(u) - 1) * i // count for i in range(count)]
        others = (torch.arange(len(u), device=u.device)[:, None] + torch.tensor(steps, device=u.device)) % len(u)
        return (u[:, None] - v[others]).abs().sum(2), episode[:, None] != episode[others]


def _report(loss: Tensor, distance: Tensor, positive: Tensor, negative: Tensor, of: Hinge) -> Report:
    with torch.no_grad():
        count = negative.sum().clamp_min(1)
        return {
            "loss": loss.detach(),
            "active": ((distance < of.negative_margin) * negative).sum() / count,
            "positive_distance": positive.mean(),
            "negative_distance": (distance * negative).sum() / count,
        }
