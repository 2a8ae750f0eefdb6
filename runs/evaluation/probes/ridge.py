"""Ridge regression from features to labels or numbers, at the strength of least validation error."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from runs.evaluation.features import Split
from runs.evaluation.probes.linear import r2, read_out, ridge, top1

STRENGTHS = tuple(10.0**power for power in range(6, -4, -1))  # ridge penalties on standardised features, strong to weak
STRONGER, WEAKER = (1e7, 1e8, 1e10, 1e12), (1e-4, 1e-5, 1e-6)  # tried where the best is at an edge of those
WIDE, WIDE_ROWS = 16_384, 10_000  # more features than these are read by ridge regression off so many images at most
ROWS = 4_096  # images whose features are in float64 at once
SAME = 0.99  # share of answers that are one class, where a probe tells nothing apart
Scores = dict[str, float]


class Predictions(NamedTuple):
    """The predictions of a ridge regression, at the strength of least validation error."""

    validation: Tensor  # (M, K)
    test: Tensor  # (M, K)
    strength: float


class Fit(NamedTuple):
    """A readout at one strength."""

    error: float  # over validation images, of the kind that the readout minimises
    strength: float
    validation: Tensor  # (M, K) predictions
    weights: Tensor  # (D + 1, K)


def search(
    fit: Callable[[float], dict[str, Fit]],
    strengths: tuple[float, ...],
    *,
    stronger: tuple[float, ...],
    weaker: tuple[float, ...],
) -> dict[str, Fit]:
    """The fit of least error of each target, of `fit` at one strength after the other.

    Strengths are tried from strong to weak, until no target gains by a weaker one. Targets whose best is the first or
    the last of them try those beyond as well.
    """
    best = fit(strengths[0])
    _gain(best, fit, strengths[1:], set(best))
    _gain(best, fit, stronger, {name for name, one in best.items() if one.strength == strengths[0]})
    _gain(best, fit, weaker, {name for name, one in best.items() if one.strength == strengths[-1]})
    return best


def _gain(best: dict[str, Fit], fit: Callable[[float], dict[str, Fit]], strengths: tuple[float, ...], names: set[str]):
    """Puts better fits of these targets in place, until a strength betters none."""
    for strength in strengths if names else ():
        try:
            tried = fit(strength)
        except torch.linalg.LinAlgError:  # too weak for features that repeat one another
            return
        better = {name: tried[name] for name in names if tried[name].error < best[name].error}
        if not better:
            return
        best |= better


def ridge_predictions(features: Split, targets: dict[str, Split]) -> dict[str, Predictions]:
    """Predicts all targets from the features by ridge regression, labels as one-hot numbers.

    The strength is the one of least squared error, ridge's own loss: top-1 on a few hundred images ties over decades.
    Features are standardised over the training images.
    """
    if not targets:
        return {}
    if features.train.shape[1] > WIDE:
        features = features._replace(train=features.train[:WIDE_ROWS])
        targets = {name: of._replace(train=of.train[:WIDE_ROWS]) for name, of in targets.items()}
    numbers = [_numbers(of) for of in targets.values()]
    y, columns = torch.cat([of.train for of in numbers], 1), [of.train.shape[1] for of in numbers]
    deviation, validation = _deviation(features.train), features.validation.double()
    asked: list[float] = []
    fits = ridge(features.train, y, strengths=iter(asked.pop, None), deviation=deviation)  # one when it is asked for

    def fit(strength: float) -> dict[str, Fit]:
        asked.append(strength)
        weights = next(fits)
        predictions, weights = read_out(validation, weights).split(columns, 1), weights.split(columns, 1)
        missed = [(one - of.validation).square().sum() for one, of in zip(predictions, numbers, strict=True)]
        rows = zip(targets, torch.stack(missed).tolist(), predictions, weights, strict=True)
        return {name: Fit(error, strength, *of) for name, error, *of in rows}

    best = search(fit, STRENGTHS, stronger=STRONGER, weaker=WEAKER)
    weights = torch.cat([best[name].weights for name in targets], 1)
    tested = torch.cat([read_out(rows.double(), weights) for rows in features.test.split(ROWS)]).split(columns, 1)
    return {
        name: Predictions(best[name].validation, of, best[name].strength)
        for name, of in zip(targets, tested, strict=True)
    }


def ridge_probes(features: Split, targets: dict[str, Split]) -> dict[str, Scores]:
    """Ridge regression to each target: {name: {top1 (of labels) or r2 (of numbers), validation_..., strength}}."""
    return {name: scored(each, targets[name]) for name, each in ridge_predictions(features, targets).items()}


def scored(predictions: Predictions, target: Split) -> Scores:
    """Predictions against labels (M,) or numbers (M, K)."""
    score = top1 if target.train.ndim == 1 else r2
    return {
        score.__name__: score(predictions.test, target.test),
        f"validation_{score.__name__}": score(predictions.validation, target.validation),
        "strength": predictions.strength,
        "degenerate": degenerate(predictions.strength, predictions.test if score is top1 else None),
    }


def degenerate(
    strength: float,
    answers: Tensor | None,
    *,
    stronger: tuple[float, ...] = STRONGER,
    weaker: tuple[float, ...] = WEAKER,
) -> float:
    """1 where a score says little of the features, else 0.

    That is where the best strength is the last that was tried on either side, and where (nearly) all answers, the
    largest of predictions (M, K) of labels, are one class: least squared error may be at a strength that leaves so.
    """
    if strength in (stronger[-1], weaker[-1]):
        return 1.0
    return float(answers is not None and answers.argmax(1).bincount().max() >= SAME * len(answers))


def _numbers(of: Split) -> Split:
    """Labels (M,) as one-hot numbers (M, K); numbers as they are."""
    if of.train.ndim > 1:
        return of
    classes = max(int(part.max()) for part in of) + 1
    return Split(*(one_hot(part, classes).float() for part in of))


def standardised(features: Split) -> Split:
    """Every feature less its mean over the training images and in units of its deviation there."""
    mean, deviation = features.train.mean(0), _deviation(features.train)
    return Split(*((part - mean) / deviation for part in features))


def _deviation(train: Tensor) -> Tensor:
    """(D,) the deviation of each feature over the training images."""
    return train.std(0).clamp_min(1e-6)
