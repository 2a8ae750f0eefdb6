"""Probes of an encoder: what can be read off its features, once they are frozen.

An encoder is any callable from images (B, 3, H, W) float in [0, 1] to features (B, D). A task's images are encoded once
for all probes. Strengths are chosen on validation images, never on test images.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, one_hot

from envs.errors import SettingError
from runs.evaluation.linear import logistic, neighbours, r2, read_out, ridge, top1

PROBES = ("linear", "factors", "knn", "few", "logistic", "blocks", "finetune")  # what a run can be asked to do
BATCH = 125  # images encoded at once: more do not stay in the cache of a CPU
STRENGTHS = tuple(10.0**power for power in range(6, -4, -1))  # ridge penalties on standardised features, strong to weak
LOGISTIC_STRENGTHS = (1e4, 1e3, 1e2, 1e1, 1.0)  # the same of logistic regression
FEW = {1: 5, 10: 5, 100: 1}  # labels a class of the few-label probes, and how many sets of them; a score is their mean
BLOCK_FEATURES = 1024  # of a block below the top, at most
Encoder = Callable[[Tensor], Tensor]
Scores = dict[str, float]


class LabelledImages(NamedTuple):
    """Images to classify."""

    images: Tensor  # (M, 3, H, W) uint8
    labels: Tensor  # (M,) int64
    factors: dict[str, Tensor] = {}  # noqa: RUF012  (M, ...) ground truth of the images, where a world tells it


class Task(NamedTuple):
    """A classification task; a probe learns on `train`, chooses its strength on `validation`, is scored on `test`."""

    name: str
    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    classes: int
    note: str = ""  # how its images were changed to be shown to the encoder


class Split(NamedTuple):
    """Something known of a task's images: features (M, D), labels (M,) int64 or numbers (M, K) of each part."""

    train: Tensor
    validation: Tensor
    test: Tensor


class Score(NamedTuple):
    """What a linear probe found."""

    top1: float  # share of test images classified correctly, at the strength chosen
    validation_top1: float
    strength: float  # the ridge penalty that validation chose


def linear_probe(encode: Encoder, task: Task, *, device: torch.device) -> Score:
    """The ridge probe of a task's labels.

    Raises:
        SettingError: a task of one class.
    """
    labels = labels_of(task, device)
    return Score(**ridge_probes(encoded(encode, task, device=device), {"labels": labels})["labels"])


class Answers(NamedTuple):
    """What a ridge readout says of images, at the strength of least validation error."""

    validation: Tensor  # (M, K)
    test: Tensor  # (M, K)
    strength: float


class _Fit(NamedTuple):
    """A ridge regression at one strength."""

    error: float  # sum of squares over validation images
    strength: float
    validation: Tensor  # (M, K) what it says of them
    weight: Tensor  # (D + 1, K) of the features as they are


def ridge_answers(features: Split, wanted: dict[str, Split]) -> dict[str, Answers]:
    """Reads everything that is wanted off the features by ridge regression, labels as one-hot numbers.

    The strength is the one of least squared error, ridge's own loss: top-1 on a few hundred images ties over decades.
    Strengths are tried from strong to weak, until nothing that is wanted gains by a weaker one.
    """
    best: dict[str, _Fit] = {}
    for fits in _ridge_fits(features, {name: _numbers(of) for name, of in wanted.items()}):
        better = {name: fit for name, fit in fits.items() if name not in best or fit.error < best[name].error}
        if not better:
            break
        best |= better
    test = features.test.double()
    return {name: Answers(fit.validation, read_out(test, fit.weight), fit.strength) for name, fit in best.items()}


def _ridge_fits(features: Split, wanted: dict[str, Split]) -> Iterator[dict[str, _Fit]]:
    """What each strength comes to, for all that is wanted (M, K).

    It is the training images that are standardised; for all others that is done to the weights, of which there are few.
    """
    mean, deviation = _scale(features.train)
    validation = features.validation.double()
    y = torch.cat([of.train for of in wanted.values()], 1)
    columns = [of.train.shape[1] for of in wanted.values()]
    found = ridge((features.train - mean).div_(deviation), y, strengths=STRENGTHS)  # which keeps float64 of it alone
    for strength, scaled in zip(STRENGTHS, found, strict=True):
        slope = scaled[:-1] / deviation[:, None]
        weights = torch.cat([slope, scaled[-1:] - mean.double() @ slope]).split(columns, 1)
        said = [read_out(validation, weight) for weight in weights]
        missed = [(one - of.validation).square().sum() for one, of in zip(said, wanted.values(), strict=True)]
        errors = torch.stack(missed).tolist()
        yield {name: _Fit(error, strength, *of) for name, error, *of in zip(wanted, errors, said, weights, strict=True)}


def ridge_probes(features: Split, wanted: dict[str, Split]) -> dict[str, Scores]:
    """How well ridge regression reads what is wanted off the features.

    {name: {top1, validation_top1, strength}} of labels, {name: {r2, validation_r2, strength}} of numbers.
    """
    return {name: scored(said, wanted[name]) for name, said in ridge_answers(features, wanted).items()}


def scored(said: Answers, truth: Split) -> Scores:
    """Answers against labels (M,) or numbers (M, K)."""
    score = top1 if truth.train.ndim == 1 else r2
    return {
        score.__name__: score(said.test, truth.test),
        f"validation_{score.__name__}": score(said.validation, truth.validation),
        "strength": said.strength,
    }


def _numbers(of: Split) -> Split:
    """Labels (M,) as one-hot numbers (M, K); numbers as they are."""
    if of.train.ndim > 1:
        return of
    classes = max(int(part.max()) for part in of) + 1
    return Split(*(one_hot(part, classes).float() for part in of))


def logistic_probe(features: Split, labels: Split, *, classes: int) -> Scores:
    """Multinomial logistic regression; strengths are tried from strong to weak until validation's cross-entropy rises.

    Each begins where the one before it ended.
    """
    x, weight, best = standardised(features), None, None
    for strength in LOGISTIC_STRENGTHS:
        weight = logistic(x.train, labels.train, classes=classes, strength=strength, start=weight)
        loss = float(cross_entropy(read_out(x.validation, weight), labels.validation))
        if best is not None and loss > best[0]:
            break
        best = loss, weight, strength
    _, weight, strength = best
    tested, validated = (top1(read_out(x[part], weight), labels[part]) for part in (2, 1))
    return {"top1": tested, "validation_top1": validated, "strength": strength}


def knn_probe(features: Split, labels: Split, *, classes: int) -> Scores:
    """The weighted vote of the nearest training images, on features as they are: {top1}; there is nothing to choose."""
    return {"top1": top1(neighbours(features.train, labels.train, features.test, classes=classes), labels.test)}


def few_label_probes(features: Split, labels: Split, *, classes: int) -> dict[str, Scores]:
    """The ridge probe with only so many labels a class: {"1": {top1, deviation}, "10": ...}.

    Mean and standard deviation over disjoint sets of training images; a number of labels that some class does not have
    is left out. Strengths are chosen on all validation images.
    """
    features = Split(features.train, features.validation.double(), features.test.double())  # once for all of them
    rank = ranks(labels.train, classes)  # (M,) the how-manieth of its class an image is
    most = int(labels.train.bincount(minlength=classes).min())
    found = {}
    for count, draws in FEW.items():
        tops = []
        for draw in range(min(draws, most // count)):
            rows = (rank >= draw * count) & (rank < (draw + 1) * count)
            few = features._replace(train=features.train[rows]), labels._replace(train=labels.train[rows])
            tops.append(ridge_probes(few[0], {"labels": few[1]})["labels"]["top1"])
        if tops:
            mean = sum(tops) / len(tops)
            deviation = (sum((top - mean) ** 2 for top in tops) / max(len(tops) - 1, 1)) ** 0.5
            found[str(count)] = {"top1": mean, "deviation": deviation}
    return found


def encoded(encode: Encoder, task: Task, *, device: torch.device) -> Split:
    """The features (M, D) of each part of a task."""
    return Split(*(features(encode, part.images, device=device) for part in task[1:4]))


def labels_of(task: Task, device: torch.device) -> Split:
    """The labels (M,) of each part of a task.

    Raises:
        SettingError: a task of one class.
    """
    if len(task.train.labels.unique()) < 2:
        raise SettingError(f"{task.name} shows one class only, which leaves nothing to tell apart; add classes")
    return Split(*(part.labels.to(device) for part in task[1:4]))


@torch.no_grad()
def features(encode: Encoder, images: Tensor, *, device: torch.device) -> Tensor:
    """(M, D) float32 on the device, of images (M, 3, H, W) uint8."""
    return torch.cat([encode(part.to(device).float().div_(255)) for part in images.split(BATCH)])


def standardised(features: Split) -> Split:
    """Every feature less its mean over the training images and in units of its deviation there."""
    mean, deviation = _scale(features.train)
    return Split(*((part - mean) / deviation for part in features))


def _scale(train: Tensor) -> tuple[Tensor, Tensor]:
    """(D,) mean and deviation of each feature over the training images."""
    return train.mean(0), train.std(0).clamp_min(1e-6)


def pooled(maps: Tensor) -> Tensor:
    """A block's output (B, C, H, W) as features (B, D): averaged over patches where there would be more than 1,024.

    The patches make the largest square grid that stays within that number.
    """
    channels, height = maps.shape[1:3]
    side = max(int((BLOCK_FEATURES / channels) ** 0.5), 1)
    return flat(adaptive_avg_pool2d(maps, side) if side < height else maps)


def flat(maps: Tensor) -> Tensor:
    """A block's output (B, C, H, W) as features (B, H*W*C), in the order that costs channels_last tensors no copy."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def mean_colour(images: Tensor) -> Tensor:
    """(B, 3) mean of each channel: a baseline that beats chance where colour tells the class."""
    return images.mean((2, 3))


def pixels(images: Tensor) -> Tensor:
    """(B, 3*H*W) the raw picture."""
    return images.flatten(1)


def chance(task: Task) -> float:
    """Share of the test images that are of the commonest class of the training images: what is known without looking.

    As it is measured on test images, it may lie a little below one in the number of classes, as any score may.
    """
    commonest = task.train.labels.mode().values
    return float((task.test.labels == commonest).float().mean())


def ranks(labels: Tensor, classes: int) -> Tensor:
    """(M,) how many rows before each have its label."""
    seen = one_hot(labels, classes).cumsum(0)
    return seen.gather(1, labels[:, None])[:, 0] - 1
