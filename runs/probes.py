"""Linear probes of an encoder, which is any callable from images (B, 3, H, W) float in [0, 1] to features (B, D)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from envs.errors import SettingError

BATCH = 250  # images encoded at once
STRENGTHS = tuple(10.0**power for power in range(-3, 7))  # ridge penalties tried, a row of standardised features each


class LabelledImages(NamedTuple):
    """Images to classify."""

    images: Tensor  # (M, 3, H, W) uint8
    labels: Tensor  # (M,) int64


class Task(NamedTuple):
    """A classification task; a probe learns on `train`, chooses its strength on `validation`, is scored on `test`."""

    name: str
    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    classes: int


class Score(NamedTuple):
    """What a probe found."""

    top1: float  # share of test images classified correctly, at the strength chosen
    validation_top1: float
    strength: float  # the ridge penalty that validation chose


def linear_probe(encode: Callable[[Tensor], Tensor], task: Task, *, device: torch.device) -> Score:
    """Ridge regression on one-hot labels, its strength chosen on validation images and scored once on test images.

    The strength is the one of least squared error, ridge's own loss: top-1 on a few hundred images ties over decades.

    Raises:
        SettingError: a task of one class.
    """
    if len(task.train.labels.unique()) < 2:
        raise SettingError(f"{task.name} shows one class only, which leaves nothing to tell apart; add classes")
    train, validation, test = (features(encode, part.images, device=device) for part in task[1:4])
    mean, deviation = train.mean(0), train.std(0).clamp_min(1e-6)
    train, validation, test = ((part - mean) / deviation for part in (train, validation, test))
    weights = ridge(train, task.train.labels.to(device), classes=task.classes, strengths=STRENGTHS)  # (S, D + 1, K)
    wanted = one_hot(task.validation.labels.to(device), task.classes)
    errors = torch.stack([(_answers(validation, weight) - wanted).square().sum() for weight in weights])
    best = int(errors.argmin())
    tests = ((test, task.test.labels), (validation, task.validation.labels))
    return Score(*(_top1(x, weights[best], labels) for x, labels in tests), STRENGTHS[best])


@torch.no_grad()
def features(encode: Callable[[Tensor], Tensor], images: Tensor, *, device: torch.device) -> Tensor:
    """(M, D) float32 on the device, of images (M, 3, H, W) uint8."""
    parts = [encode(part.to(device).float().div_(255)) for part in images.split(BATCH)]
    return torch.cat(parts)


def ridge(x: Tensor, labels: Tensor, *, classes: int, strengths: tuple[float, ...]) -> Tensor:
    """Weights (S, D + 1, K) of ridge regression from x (M, D) to one-hot labels, one for each of S strengths.

    Minimises `||y - x w - b||^2 + strength ||w||^2`; the last row is the intercept b, which is not penalised. One
    eigendecomposition, of the smaller of x^T x and x x^T, serves all strengths. In float64, where a small strength on
    features that repeat one another still has digits left.
    """
    x, y = x.double(), one_hot(labels, classes).double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    tall = x.shape[0] >= x.shape[1]
    values, vectors = torch.linalg.eigh(x.T @ x if tall else x @ x.T)
    values = values.clamp_min(0)
    right = vectors.T @ (x.T @ y if tall else y)  # (D or M, K)
    found = []
    for strength in strengths:
        w = vectors @ (right / (values + strength)[:, None])
        w = w if tall else x.T @ w  # (D, K)
        found.append(torch.cat([w, (y_mean - x_mean @ w)[None]]))
    return torch.stack(found)


def mean_colour(images: Tensor) -> Tensor:
    """(B, 3) mean of each channel: a baseline that beats chance where colour tells the class."""
    return images.mean((2, 3))


def pixels(images: Tensor) -> Tensor:
    """(B, 3*H*W) the raw picture."""
    return images.flatten(1)


def chance(task: Task) -> float:
    """Share of the commonest class of the training images among the test images."""
    commonest = task.train.labels.mode().values
    return float((task.test.labels == commonest).float().mean())


def _answers(x: Tensor, weight: Tensor) -> Tensor:
    return x @ weight[:-1].float() + weight[-1].float()


def _top1(x: Tensor, weight: Tensor, labels: Tensor) -> float:
    return float((_answers(x, weight).argmax(1) == labels.to(x.device)).float().mean())
