"""What a pair should look like: losses of embeddings u (B, D) of the first views and v (B, D) of the second."""

from learners.losses.base import Loss, Report
from learners.losses.build import build_losses
from learners.losses.hinge import Hinge
from learners.losses.memory_bank import Remembered

__all__ = ["Hinge", "Loss", "Remembered", "Report", "build_losses"]
