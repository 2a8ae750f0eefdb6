"""The contrastive hinge: a pair nearer than one margin, rows of different episodes further apart than another."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from envs.devices import upload
from envs.errors import SettingError, check_choices
from learners.losses.base import Loss, LossSettings, Report, mean_distances

FEW = 0.1  # share of pairs up to which going through them one by one is faster than through all


def hinge_of_distances(distance: Tensor, positive: Tensor, negative: Tensor, settings: "HingeSettings") -> Tensor:
    """The contrastive hinge (Tang, Yang and Amit 2022) of N anchors from distances (N, M), the mean over anchors.

    `L = 1/N sum_i ([d_i+ - m_pos]_+ + sum_j w_ij [m_neg - d_ij]_+)`; `positive` (N,) are the d_i+, `negative` (N, M)
    bool says which j are negatives of i, and w is 1, or 1 / (number of i's negatives inside the margin).
    """
    pull = (positive - settings.positive_margin).clamp_min(0)
    push = (settings.negative_margin - distance).clamp_min(0) * negative
    if settings.average == "violators":
        push = push / (push.detach() > 0).sum(1, keepdim=True).clamp_min(1)
    return (pull + push.sum(1)).mean()


class _DistancesBetween(Function):
    """L1 distances (M, N) of rows (M, D) from others (N, D), whose gradient goes through pairs that have an error.

    Of a hinge few have one: those inside the margin.
    """

    @staticmethod
    def forward(ctx, u: Tensor, v: Tensor) -> Tensor:
        distance = torch.cdist(u, v, p=1)
        ctx.save_for_backward(u, v, distance)
        return distance

    @staticmethod
    @once_differentiable
    def backward(ctx, error: Tensor) -> tuple[Tensor | None, Tensor | None]:
        u, v, distance = ctx.saved_tensors
        wanted, back = ctx.needs_input_grad, torch.ops.aten._cdist_backward
        flat = error.reshape(-1)
        places = flat.nonzero()[:, 0] if error.is_cpu else None  # a GPU would be waited for
        if places is None or len(places) > FEW * len(flat):
            du = back(error.contiguous(), u, v, 1.0, distance) if wanted[0] else None
            dv = back(error.T.contiguous(), v, u, 1.0, distance.T.contiguous()) if wanted[1] else None
            return du, dv
        i, j = places // len(v), places % len(v)
        slope = (u[i] - v[j]).sign_().mul_(flat[places, None])  # (pairs, D)
        du = torch.zeros_like(u).index_add_(0, i, slope) if wanted[0] else None
        dv = torch.zeros_like(v).index_add_(0, j, slope, alpha=-1) if wanted[1] else None
        return du, dv


class _Distances(Function):
    """L1 distances (N, N) of rows (N, D) among themselves, each pair of which is gone through once, forth and back."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        count, distance = len(rows), torch.ops.aten._pdist_forward(rows, 1.0)  # (N (N - 1) / 2,)
        ctx.save_for_backward(rows, distance)
        pair_of, *_ = _places(count, rows.device)
        return distance.index_select(0, pair_of).view(count, count).fill_diagonal_(0)

    @staticmethod
    def backward(ctx, error: Tensor) -> Tensor:
        rows, distance = ctx.saved_tensors
        _, *places = _places(len(rows), rows.device)
        above, below = (error.reshape(-1).index_select(0, place) for place in places)
        return torch.ops.aten._pdist_backward(above.add_(below), rows, 1.0, distance)


@lru_cache(maxsize=2)
def _places(count: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of N rows, in what order `_pdist_forward` goes through their N (N - 1) / 2 pairs.

    The pair at each place of a matrix (N * N,), any on its diagonal, and the two places of each pair, above the
    diagonal and below.
    """
    kind = torch.int32 if count**2 < 2**31 else torch.int64
    i, j = torch.triu_indices(count, count, 1, dtype=kind, device=device)
    above, below = i * count + j, j * count + i
    pairs = torch.arange(len(i), dtype=kind, device=device)
    pair_of = torch.zeros(count * count, dtype=kind, device=device)
    pair_of.index_copy_(0, above.long(), pairs).index_copy_(0, below.long(), pairs)
    return pair_of, above, below


@dataclass
class HingeSettings(LossSettings):
    """loss=hinge. Raises SettingError: a value that means nothing, when it is made."""

    name: str = "hinge"
    kind: str = "hinge"
    anchors: str = "both"  # first: u_i against v_j; both: all 2B rows against each other (the paper's conv4 form)
    positive_margin: float = 1.0  # distance under which a positive pair is near enough
    negative_margin: float = 3.0  # distance over which a negative is far enough
    stop_gradient: bool = False  # the gradient block: the earlier view is remembered activity
    negatives: int = 0  # other rows each anchor is kept from; 0 for all
    average: str = "violators"  # over an anchor's negatives: sum, or violators (mean over those inside the margin)
    remember: bool = False  # each frame passes through the network once; earlier views and negatives are remembered

    def __post_init__(self):
        check_choices(self, group="loss", anchors=("first", "both"), average=("sum", "violators"))
        if self.negatives < 0:
            raise SettingError(f"loss.negatives={self.negatives} must be 0 (all) or more")
        if not 0 <= self.positive_margin < self.negative_margin:
            raise SettingError(
                f"loss.negative_margin={self.negative_margin} must be larger than loss.positive_margin="
                f"{self.positive_margin}, which must not be negative; try 3 and 1"
            )
        if self.anchors == "both" and (self.stop_gradient or self.negatives):
            raise SettingError(
                "loss.anchors=both has every row as anchor and as other, so it has no gradient block and takes all "
                "negatives; set loss.stop_gradient=false loss.negatives=0, or loss.anchors=first"
            )


class Hinge(Loss):
    """The contrastive hinge in the paper's forms, of L1 distances; an episode's rows are no negatives of each other."""

    def __init__(self, settings: HingeSettings):
        super().__init__()
        self.settings, self.stop_gradient = settings, settings.stop_gradient

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        """As of any loss; the report has the share of active hinges and the mean distances."""
        if self.stop_gradient:
            u = u.detach()
        episode = upload(episode, u.device)
        if self.settings.anchors == "both":
            rows, episode = torch.cat([u, v]), episode.repeat(2)
            distance = _Distances.apply(rows)  # (2B, 2B)
            positive = distance.diagonal(len(u)).repeat(2)
            negative = episode[:, None] != episode
        elif self.settings.negatives:
            distance, negative = self._some_distances(u, v, episode)  # (B, n)
            positive = (u - v).abs().sum(1)
        else:
            distance = self.distances(u, v)  # (B, B)
            positive = distance.diagonal()
            negative = episode[:, None] != episode
        return self.from_distances(distance, positive, negative)

    def from_distances(self, distance: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Report]:
        """The loss of N anchors from their distances, as in hinge_of_distances, and the report."""
        weights = negative
        if self.settings.negatives and self.settings.average == "sum":
            weights = negative.to(distance.dtype) / max(distance.shape[1], 1)
        loss = hinge_of_distances(distance, positive, weights, self.settings)
        with torch.no_grad():
            active = ((distance < self.settings.negative_margin) * negative).sum() / negative.sum().clamp_min(1)
            report = {"loss": loss.detach(), "active": active} | mean_distances(distance, positive, negative)
        return loss, report

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) L1."""
        return _DistancesBetween.apply(u, v)

    def terms(self, pairs: int) -> int:
        """One anchor a pair, or both of its rows."""
        return pairs * (2 if self.settings.anchors == "both" else 1)

    def _some_distances(self, u: Tensor, v: Tensor, episode: Tensor) -> tuple[Tensor, Tensor]:
        """Distances (B, n) to n others, which lie at n even steps round the batch, and whether each is a negative."""
        count = min(self.settings.negatives, len(u) - 1)
        steps = 1 + (len(u) - 1) * torch.arange(count, device=u.device) // count
        others = (torch.arange(len(u), device=u.device)[:, None] + steps) % len(u)
        return (u[:, None] - v[others]).abs().sum(2), episode[:, None] != episode[others]
