"""What a pair should look like: losses of embeddings u (B, D) of the first views and v (B, D) of the second."""

from learners.losses.base import Loss, Report
from learners.losses.build import build_losses
from learners.losses.hinge import Hinge

__all__ = ["Hinge", "Loss", "Report", "build_losses"]
