"""What the linear probe takes for what: a confusion matrix, and the test images that it is most wrong about."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from runs.evaluation.features import LabelledImages
from runs.scores import MISTAKES, ScoreKey

SHOWN = 12  # images, at most
MOST_CLASSES = 256  # of a task whose confusions are kept


def group_of(key: ScoreKey) -> str:
    """The group of metrics.zarr that holds the mistakes of a task."""
    return f"{MISTAKES}/{key.name}"


def mistakes_of(answers: Tensor, test: LabelledImages) -> dict[str, Any]:
    """The mistakes among answers (M, K), a number for each class, the largest of which counts.

    {confusion (K, K) int32: images of each class by what they are taken for; worst (S, H, W, 3) uint8: the images whose
    own class falls farthest behind the answer, the farthest first, worst_labels and worst_answers (S,) int64}. Where
    fewer are mistaken the rest are right. Empty where there are more than 256 classes.
    """
    classes, labels = answers.shape[1], test.labels.to(answers.device)
    if classes > MOST_CLASSES:
        return {}
    top, answered = answers.max(1)
    confusion = (labels * classes + answered).bincount(minlength=classes**2).reshape(classes, classes)
    behind = top - answers.gather(1, labels[:, None])[:, 0]
    worst = torch.topk(behind, min(SHOWN, len(behind))).indices
    images = test.images[worst.to(test.images.device)].permute(0, 2, 3, 1)
    kept = {
        "confusion": confusion.int(),
        "worst": images,
        "worst_labels": labels[worst],
        "worst_answers": answered[worst],
    }
    return {name: np.ascontiguousarray(of.cpu().numpy()) for name, of in kept.items()}
