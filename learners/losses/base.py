"""What all losses share, and how a plain function becomes one."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import MISSING
from torch import Tensor, nn

from envs.devices import upload
from envs.errors import SettingError

Report = dict[str, Tensor]  # detached scalars
Space = Callable[[Tensor], Tensor]  # from embeddings to where they are compared


@dataclass
class LossSettings:
    """loss=NAME."""

    name: str = MISSING  # a label
    kind: str = MISSING  # which loss it is: a key of LOSSES (learners/losses/build.py), or one of your own (examples/)


class Loss(nn.Module):
    """A loss of one head's embeddings; a module, since it may have weights of its own that learn with the network."""

    stop_gradient = False  # whether the first view is remembered activity, through which no error goes
    compares_with = ""  # what else `forward` takes as `others`, embeddings of both views: of the `top`, or `slow_copy`
    momentum = 0.0  # of the slow copy, where it compares with one
    top_width = 0  # of the embeddings at the top, known before it draws

    def draw(self, width: int, **init_kwargs) -> None:
        """Draws its own weights for embeddings of `width` dimensions; most losses have none."""

    def check_negatives(self, negatives: str) -> None:
        """Raises SettingError where several ranks cannot compare such rows: `gathered` or `local`; here all do."""

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        """The loss of u, v (B, D), whose rows show episodes (B,), `gap` (B,) steps apart, and what to watch of it."""
        raise NotImplementedError

    def keep(self, v: Tensor, *, episode: Tensor) -> None:
        """Takes note of embeddings (B, D) that are not learned from; only a loss that remembers does so."""

    def terms(self, pairs: int) -> int:
        """How many anchors the loss of so many pairs is the mean over."""
        return pairs

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) how far each u is from each v, to watch, where the loss compares: for most, as they are, in L2."""
        return torch.cdist(u, v, compute_mode="donot_use_mm_for_euclid_dist")  # which is exact for near ones too


def losses_of(losses: nn.ModuleList) -> list[Loss]:
    """The losses in a list of modules."""
    return [loss for loss in losses if isinstance(loss, Loss)]


def mean_distances(distance: Tensor, positive: Tensor, negative: Tensor) -> Report:
    """Of N anchors the mean distance of their positives (N,), and of the `negative` ones of (N, M) (0 if none)."""
    count = negative.sum().clamp_min(1)
    return {"positive_distance": positive.mean(), "negative_distance": (distance * negative).sum() / count}


class FunctionLoss(Loss):
    """A function `f(u, v, *, episode, **keywords) -> ()` as a loss."""

    def __init__(self, function: Callable[..., Tensor], keywords: Mapping[str, Any], *, space: Space = lambda z: z):
        """Calls the function once, so that what it has to say of its keywords is said before any work.

        Raises SettingError: no keyword `episode`, or a result that is no number.
        """
        super().__init__()
        self.function, self.keywords, self.space = function, keywords, space
        rows, names = torch.linspace(-1, 1, 12).reshape(3, 4), inspect.signature(function).parameters.values()
        if not any(one.name == "episode" or one.kind is one.VAR_KEYWORD for one in names):
            raise SettingError(f"{function.__name__} takes no episode; write def {function.__name__}(u, v, *, episode)")
        result = function(rows, rows.flip(0), episode=torch.arange(3), **keywords)
        if not isinstance(result, Tensor) or result.shape:
            raise SettingError(f"{function.__name__} must return the loss as a tensor without axes, not {result!r}")

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        """The function of u and v, and a report of it."""
        loss = self.function(u, v, episode=upload(episode, v.device), **self.keywords)
        return loss, {"loss": loss.detach()}

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) in the space in which the function compares."""
        return super().distances(self.space(u), self.space(v))
