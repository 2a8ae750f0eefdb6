"""Probes of an encoder: what can be read off its features, once they are frozen. Each registers itself in `PROBES`.

Strengths are chosen on validation images, never on test images. A probe of one's own is a function under `@probe`, in a
module of this package or elsewhere (MODULE:NAME, as examples/prototypes.py): its name in `eval.probes` or `eval.ends`
runs it, and its scores are kept, shown, compared and drawn like those of the others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from envs.errors import SettingError
from runs.evaluation.features import Encoder, Split, Task, encoded, labels_of, ranks
from runs.evaluation.linear import logistic, neighbours, r2, read_out, ridge, top1
from runs.scores import LABELS, ScoreKey

STRENGTHS = tuple(10.0**power for power in range(6, -4, -1))  # ridge penalties on standardised features, strong to weak
LOGISTIC_STRENGTHS = (1e4, 1e3, 1e2, 1e1, 1.0)  # the same of logistic regression
STRONGER, WEAKER = (1e7, 1e8, 1e10, 1e12), (1e-4, 1e-5, 1e-6)  # tried where the best is at an edge of those
LOGISTIC_STRONGER, LOGISTIC_WEAKER = (1e5, 1e6, 1e8), (0.1, 1e-2, 1e-3)
WIDE, WIDE_ROWS = 16_384, 10_000  # more features than these are read by ridge regression off so many images at most
SAME = 0.99  # share of answers that are one class, where a probe tells nothing apart
FEW = {1: 5, 10: 5, 100: 1}  # labels a class of the few-label probes, and how many sets of them; a score is their mean
Scores = dict[str, float]


@dataclass(frozen=True)
class Probe:
    """One way of scoring features. Either `score` or `targets` is given."""

    name: str
    score: Callable[..., dict[str, Any]] | None = None  # Scores, or some by their arguments
    targets: Callable[..., dict[str, Split]] | None = None
    every_block: bool = False  # whether `blocks` asks for it at every block
    block_images: int | None = None  # test images that are scored below the top; None for all


PROBES: dict[str, Probe] = {}


def registered() -> dict[str, Probe]:
    """All probes by name, once every module of this package has been imported."""
    for module in iter_modules([str(Path(__file__).parent)]):
        import_module(f"{__package__}.{module.name}")
    return PROBES


def find_probe(named: str) -> str:
    """The name of the probe that `named` means: its own, or MODULE:NAME of one's own, whose module is imported.

    Raises SettingError: no such module, or none of that name in it.
    """
    module, colon, name = named.rpartition(":")
    if colon:
        try:
            import_module(module)
        except ImportError as error:
            raise SettingError(
                f"eval.probes=[{named}] cannot be imported ({error}); a probe of your own is MODULE:NAME, found from "
                "the folder that you run in or from PYTHONPATH"
            ) from error
        if name not in PROBES:
            raise SettingError(f"eval.probes=[{named}]: {module} registers no probe {name}; put it under runs.probe")
    return name


def probe(name: str, *, label: str | Callable[[str], str] | None = None, **options) -> Callable[[Callable], Callable]:
    """Registers the function below it: `score(features: Split, labels: Split, *, classes) -> scores`.

    Scores hold `top1` or `r2`, and perhaps other numbers. Of several it returns `{argument: scores}`, which are kept as
    `name/argument`. `label` is what tables, charts and pages call it: of several, a function of the argument, which
    stands for itself where there is no label. `options` are those of `Probe`.
    """
    return partial(_register, name, "score", label, options)


def ridge_target(name: str, *, label: str | None = None, **options) -> Callable[[Callable], Callable]:
    """Registers the function below it: `targets(task, *, device) -> {argument: Split}`, labels (M,) or numbers (M, K).

    One ridge regression from the features serves all targets. `label` and `options` are as for `probe`.
    """
    return partial(_register, name, "targets", label, options)


def _register(name: str, kind: str, label, options: dict[str, Any], function: Callable) -> Callable:
    PROBES[name] = Probe(name, **(options | {kind: function}))
    if label:
        LABELS[name] = label
    return function


def linear_probe(encode: Encoder, task: Task, *, device: torch.device) -> Scores:
    """The ridge probe of labels: {top1, validation_top1, strength}. Raises SettingError: a task of one class."""
    labels, features = labels_of(task, device), encoded(encode, task, device=device)
    return ridge_probes(features, {"labels": labels})["labels"] | {"features": float(features.train.shape[1])}


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
    It is the training images that are standardised; for all others that is done to the weights, of which there are few.
    """
    if not targets:
        return {}
    if features.train.shape[1] > WIDE:
        features = features._replace(train=features.train[:WIDE_ROWS])
        targets = {name: of._replace(train=of.train[:WIDE_ROWS]) for name, of in targets.items()}
    numbers = [_numbers(of) for of in targets.values()]
    (mean, deviation), validation = _scale(features.train), features.validation.double()
    y, columns = torch.cat([of.train for of in numbers], 1), [of.train.shape[1] for of in numbers]
    asked: list[float] = []
    fits = ridge(
        (features.train - mean).div_(deviation), y, strengths=iter(asked.pop, None)
    )  # one when it is asked for

    def fit(strength: float) -> dict[str, Fit]:
        asked.append(strength)
        scaled = next(fits)
        slope = scaled[:-1] / deviation[:, None]
        weights = torch.cat([slope, scaled[-1:] - mean.double() @ slope]).split(columns, 1)  # of features as they are
        predictions = [read_out(validation, weight) for weight in weights]
        missed = [(one - of.validation).square().sum() for one, of in zip(predictions, numbers, strict=True)]
        rows = zip(targets, torch.stack(missed).tolist(), predictions, weights, strict=True)
        return {name: Fit(error, strength, *of) for name, error, *of in rows}

    best, test = search(fit, STRENGTHS, stronger=STRONGER, weaker=WEAKER), features.test.double()
    return {name: Predictions(of.validation, read_out(test, of.weights), of.strength) for name, of in best.items()}


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


def probe_scores(
    features: Split, task: Task, *, probes: Iterable[Probe], device: torch.device, block: int | None = None
) -> tuple[dict[ScoreKey, Scores], dict[str, Predictions]]:
    """The scores of all probes of the features of a block (None: of the whole encoder), and what ridge predicts."""
    labels = labels_of(task, device)
    several = [(probe.name, probe.targets(task, device=device)) for probe in probes if probe.targets]
    targets = {f"{name}/{argument}".rstrip("/"): target for name, each in several for argument, target in each.items()}
    predictions = ridge_predictions(features, targets)
    scores = {name: scored(predictions[name], target) for name, target in targets.items()}
    for probe in probes:
        if probe.score:
            count = None if block is None else probe.block_images
            few = (split._replace(test=split.test[:count]) for split in (features, labels))
            score = probe.score(*few, classes=task.classes)
            each = score if all(isinstance(value, dict) for value in score.values()) else {"": score}
            scores |= {f"{probe.name}/{argument}".rstrip("/"): value for argument, value in each.items()}
    width = {"features": float(features.train.shape[1])}
    return {ScoreKey(probe=name, block=block): score | width for name, score in scores.items()}, predictions


@ridge_target("linear", every_block=True)
def label_targets(task: Task, *, device: torch.device) -> dict[str, Split]:
    """The labels themselves; the argument is empty. Raises SettingError: a task of one class."""
    return {"": labels_of(task, device)}


def _numbers(of: Split) -> Split:
    """Labels (M,) as one-hot numbers (M, K); numbers as they are."""
    if of.train.ndim > 1:
        return of
    classes = max(int(part.max()) for part in of) + 1
    return Split(*(one_hot(part, classes).float() for part in of))


@probe("logistic", every_block=True)
def logistic_probe(features: Split, labels: Split, *, classes: int) -> Scores:
    """Multinomial logistic regression, each from where the last ended, at the strength of least validation loss."""
    x, ended = standardised(features), None

    def fit(strength: float) -> dict[str, Fit]:
        nonlocal ended
        tolerance = 0.01 * min(1.0, strength)  # a weak penalty slopes little, and would end where it began
        ended = logistic(x.train, labels.train, classes=classes, strength=strength, start=ended, tolerance=tolerance)
        validation = read_out(x.validation, ended)
        return {"": Fit(float(cross_entropy(validation, labels.validation)), strength, validation, ended)}

    beyond = {"stronger": LOGISTIC_STRONGER, "weaker": LOGISTIC_WEAKER}
    best = search(fit, LOGISTIC_STRENGTHS, **beyond)[""]
    tested = read_out(x.test, best.weights)
    return {
        "top1": top1(tested, labels.test),
        "validation_top1": top1(best.validation, labels.validation),
        "strength": best.strength,
        "degenerate": degenerate(best.strength, tested, **beyond),
    }


@probe("knn", every_block=True, block_images=1000)  # below the top, for the time it takes
def knn_probe(features: Split, labels: Split, *, classes: int) -> Scores:
    """The weighted vote of the nearest training images, on features as they are: {top1}; there is nothing to choose."""
    return {"top1": top1(neighbours(features.train, labels.train, features.test, classes=classes), labels.test)}


@probe("few", every_block=True)
def few_label_probes(features: Split, labels: Split, *, classes: int) -> dict[str, Scores]:
    """The ridge probe with only so many labels a class: {"1": {top1, deviation}, "10": ...}.

    Mean and standard deviation over disjoint sets of training images; a number of labels that some class does not have
    is left out. Strengths are chosen on all validation images.
    """
    features = Split(features.train, features.validation.double(), features.test.double())  # once for all of them
    rank = ranks(labels.train)  # (M,) the how-manieth of its class an image is
    most = int(labels.train.bincount(minlength=classes).min())
    scores = {}
    for count, draws in FEW.items():
        tops, useless = [], []
        for draw in range(min(draws, most // count)):
            rows = (rank >= draw * count) & (rank < (draw + 1) * count)
            few = features._replace(train=features.train[rows]), labels._replace(train=labels.train[rows])
            each = ridge_probes(few[0], {"labels": few[1]})["labels"]
            tops.append(each["top1"])
            useless.append(each["degenerate"])
        if tops:
            mean = sum(tops) / len(tops)
            deviation = (sum((top - mean) ** 2 for top in tops) / max(len(tops) - 1, 1)) ** 0.5
            scores[str(count)] = {"top1": mean, "deviation": deviation, "degenerate": sum(useless) / len(useless)}
    return scores


def standardised(features: Split) -> Split:
    """Every feature less its mean over the training images and in units of its deviation there."""
    mean, deviation = _scale(features.train)
    return Split(*((part - mean) / deviation for part in features))


def _scale(train: Tensor) -> tuple[Tensor, Tensor]:
    """(D,) mean and deviation of each feature over the training images."""
    return train.mean(0), train.std(0).clamp_min(1e-6)
