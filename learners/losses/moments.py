"""Means and covariances over a batch: what a loss asks of other rows goes through here."""

import torch
from torch import Tensor

from learners.losses.base import Loss


def moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) and the covariance (D, D) of rows z (B, D), over B - 1; through both the gradient flows."""
    mean = z.mean(0)
    centred = z - mean
    return mean, centred.T @ centred / (len(z) - 1)  # `torch.cov` waits for the device, to see whether it should warn


def off_diagonal_square(matrix: Tensor) -> Tensor:
    """The sum of the squares of a matrix's elements, those on the diagonal left out."""
    return matrix.square().sum() - matrix.diagonal().square().sum()


class StaleMoments(Loss):
    """A loss that may use the moments of the batch before, so that no row depends on another. Abstract."""

    mean: Tensor  # (2, D) of either view
    covariance: Tensor  # (2, D, D)

    def draw(self, width: int, **init_kwargs) -> None:
        """Makes room for the moments of embeddings of `width` dimensions."""
        self.register_buffer("mean", torch.zeros(2, width))
        self.register_buffer("covariance", torch.eye(width).expand(2, -1, -1).clone())

    def swap(self, views: tuple[Tensor, Tensor]) -> list[tuple[Tensor, Tensor]]:
        """The stored moments of either view, in whose place those of these views (B, D) are stored.

        Before the first batch they are those of the standard normal distribution.
        """
        stored = list(zip(self.mean.clone(), self.covariance.clone(), strict=True))
        with torch.no_grad():
            for number, view in enumerate(views):
                mean, covariance = moments(view)
                self.mean[number].copy_(mean)
                self.covariance[number].copy_(covariance)
        return stored
