"""Self-supervised contrastive forward-forward: much activity where two halves belong together, little where not."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from envs.devices import upload
from envs.errors import SettingError, check_choices
from learners.losses.base import Loss, LossSettings, Report


def goodness(first: Tensor, second: Tensor) -> Tensor:
    """`G = mean_k relu(first + second)_k^2` (...,) of rows (..., D): one kernel on both halves, summed."""
    return (first + second).relu().square().mean(-1)


def scff(positive: Tensor, negative: Tensor, *, thresholds: tuple[float, float], energy: float) -> Tensor:
    """`mean softplus(theta_+ - G_+) + mean softplus(G_- - theta_-) + energy ||G_+|| / B` of goodnesses (B,), (B',).

    Chen et al. (2025), "Self-contrastive forward-forward algorithm", Nature Communications, methods.
    """
    above, below = thresholds
    pull, push = softplus(above - positive).mean(), softplus(negative - below).mean()
    return pull + push + energy * positive.norm() / len(positive)


def partners(episode: Tensor) -> tuple[Tensor, Tensor]:
    """For each row another row's number (B,), and whether that shows another episode (B,); half a batch away."""
    others = torch.arange(len(episode)).roll(-max(len(episode) // 2, 1))
    return others, episode != episode[others]


@dataclass
class ScffSettings(LossSettings):
    """loss=scff, self-supervised contrastive forward-forward."""

    name: str = "scff"
    kind: str = "scff"
    pairs: str = "temporal"  # positives: temporal, [x_t, x_t-1]; or published, [x, x]
    positive_threshold: float = 2.0  # goodness over which a positive is good enough
    negative_threshold: float = 0.5  # goodness under which a negative is
    energy: float = 1e-3  # weight of the norm of the positives' goodness

    def __post_init__(self):
        check_choices(self, group="loss", pairs=("temporal", "published"))
        if self.energy < 0:
            raise SettingError(f"loss.energy={self.energy} would reward activity without an end; try 0 or more")


class Scff(Loss):
    """Goodness of sums of embeddings, which are what a linear layer makes of two halves `[x, x']` beside each other.

    With `pairs=published` a positive is a view beside itself and a negative two different rows of one view; with
    `pairs=temporal` they are two frames of one episode and of two. Of every row one negative is made; where its other
    row shows the same episode it is left out.
    """

    def __init__(self, settings: ScffSettings):
        super().__init__()
        self.settings = settings
        self.thresholds = settings.positive_threshold, settings.negative_threshold

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        """As of any loss; the report has the mean goodness of either kind."""
        others, differs = partners(episode)
        at = upload(torch.nonzero(differs)[:, 0], v.device)
        to = upload(others[differs], v.device)
        firsts, seconds = u.index_select(0, at), v.index_select(0, to)
        if self.settings.pairs == "temporal":
            positive, negative = goodness(u, v), goodness(firsts, seconds)
        else:
            positive = torch.cat([goodness(z, z) for z in (u, v)])
            negative = torch.cat([goodness(z.index_select(0, at), z.index_select(0, to)) for z in (u, v)])
        if not len(negative):  # as rows of one episode alone make
            negative = positive.new_full((1,), -torch.inf)
        loss = scff(positive, negative, thresholds=self.thresholds, energy=self.settings.energy)
        report = {"positive_goodness": positive.mean(), "negative_goodness": negative.clamp_min(0).mean()}
        return loss, {"loss": loss.detach()} | {name: value.detach() for name, value in report.items()}
