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
from typing import Any

import torch

from envs.arguments import typed
from envs.errors import SettingError
from runs.evaluation.features import Encoder, Split, Task, encoded, labels_of
from runs.evaluation.probes.ridge import Predictions, Scores, ridge_predictions, ridge_probes, scored
from runs.scores import LABELS, ScoreKey


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


@typed
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
