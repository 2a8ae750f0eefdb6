"""A few test images and their features over time, kept beside the numbers to draw embeddings from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runs.evaluation.features import LabelledImages

FEATURES = 1024  # kept of an image, at most: every n-th of more
OFTEN = 32  # evaluations that are all kept; after them, half as many of each doubling


class Samples:
    """The first `count` test images; their features are kept at evaluations that thin out, so that size is bounded."""

    def __init__(self, test: LabelledImages, *, count: int, every: int, kinds: Sequence[int] = ()):
        """`kinds` (K,) are what the classes are called where the images come from, if not by their numbers."""
        self.images, self.labels, self.every = test.images[:count], test.labels[:count], every
        if kinds:
            self.labels = torch.as_tensor(kinds).to(self.labels)[self.labels]

    @property
    def shown(self) -> dict[str, np.ndarray]:
        """What never changes: images (M, H, W, 3) uint8 and labels (M,) int64."""
        return {"images": self.images.permute(0, 2, 3, 1).cpu().numpy(), "labels": self.labels.cpu().numpy()}

    def of(self, features: Tensor, *, frames: int, last: bool) -> dict[str, dict[str, Any]]:
        """{samples: {embeddings: (M, D) float16}} of the test images' features, where they are due to be kept."""
        if not len(self.images) or not (last or kept(frames // self.every)):
            return {}
        few = features[: len(self.images), :: -(-features.shape[1] // FEATURES)]
        return {"samples": {"embeddings": few.to(torch.float16).cpu().numpy()}}


def kept(number: int) -> bool:
    """Whether this evaluation, counted from 0, is among those kept: all below 32, every 2nd below 64, every 4th ..."""
    return number % 2 ** max(number.bit_length() - OFTEN.bit_length() + 1, 0) == 0
