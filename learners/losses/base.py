"""What all losses share, and how a plain function becomes one."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from envs.devices import upload
from envs.errors import SettingError
from learners.losses.equations import SPACES

Report = dict[str, Tensor]  # detached scalars


class Loss(nn.Module):
    """A loss of one head's embeddings; a module, since it may have weights of its own that learn with the network."""

    stop_gradient = False  # whether the first view is remembered activity, through which no error goes

    def draw(self, width: int, **init_kwargs) -> None:
        """Draws the weights of its own for embeddings of so many dimensions; most losses have none."""

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        """The loss of u, v (B, D) whose rows show episodes (B,), `gap` (B,) steps apart, and what to watch of it."""
        raise NotImplementedError

    def terms(self, pairs: int) -> int:
        """How many anchors the loss of so many pairs is the mean over."""
        return pairs

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) how far each u is from each v in the space in which the loss compares: for most, as they are, in L2.

        They are watched and not learned from.
        """
        return torch.cdist(u, v, compute_mode="donot_use_mm_for_euclid_dist")  # which is exact for near ones too


def mean_distances(distance: Tensor, positive: Tensor, negative: Tensor) -> Report:
    """Of N anchors the mean distance of their positives (N,), and of those of (N, M) that `negative` says are others.

    Without any, the latter is 0.
    """
    count = negative.sum().clamp_min(1)
    return {"positive_distance": positive.mean(), "negative_distance": (distance * negative).sum() / count}


class Plain(Loss):
    """A function `f(u, v, *, episode, **settings) -> ()` as a loss."""

    def __init__(self, function: Callable[..., Tensor], **settings):
        """Tries the function once, so that what it has to say of its settings is said before any work.

        Raises:
            SettingError: a result that is no number.
        """
        super().__init__()
        self.function, self.settings = function, settings
        self.space = SPACES.get(function, lambda z: z)
        rows = torch.linspace(-1, 1, 12).reshape(3, 4)
        tried = function(rows, rows.flip(0), episode=torch.arange(3), **settings)
        if not isinstance(tried, Tensor) or tried.shape:
            raise SettingError(f"{function.__name__} must return the loss as a tensor without axes, not {tried!r}")

    def forward(self, u: Tensor, v: Tensor, *, episode: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Report]:
        loss = self.function(u, v, episode=upload(episode, u.device), **self.settings)
        return loss, {"loss": loss.detach()}

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        return super().distances(self.space(u), self.space(v))
