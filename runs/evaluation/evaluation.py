"""What an encoder is scored on, and beside what: the world's own test instances, other data, and the baselines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

from envs.errors import SettingError
from envs.scene.drift import block_edges
from runs.evaluation.factors import factor_targets
from runs.evaluation.finetune import Tunable, fine_tune
from runs.evaluation.linear import top1
from runs.evaluation.probes import (
    Scores,
    Split,
    Task,
    chance,
    encoded,
    features,
    few_label_probes,
    flat,
    knn_probe,
    labels_of,
    linear_probe,
    logistic_probe,
    mean_colour,
    pixels,
    pooled,
    ridge_answers,
    ridge_probes,
    scored,
)
from runs.evaluation.recorded_tasks import recorded_task
from runs.evaluation.samples import Samples
from runs.evaluation.transfer import load_all
from runs.evaluation.world_tasks import drift_of, moving_objects_dark, of_settings, world_task
from runs.store.timing import due
from streams.process.signals import Stop

LABEL_PROBES = ("linear", "knn", "logistic", "few")  # what is done at every block
BLOCK_QUERIES = 1000  # test images whose neighbours are looked up below the top


@dataclass
class EvalSettings:
    """When and on what the encoder is scored"""

    every: int = 16_384  # frames between two evaluations; 0 for none at all
    train: int = 8_000  # images the probe learns from, of training instances
    validation: int = 1_000  # images its strength is chosen on, of validation instances
    test: int = 4_000  # images it is scored on, of test instances
    seed: int = 0  # of the images; runs that share it are scored on the same ones
    probes: list[str] = field(
        default_factory=lambda: ["linear", "factors"]
    )  # at every evaluation: of runs.evaluation.probes
    ends: list[str] = field(  # beside them, at a run's start and end; finetune takes minutes
        default_factory=lambda: ["knn", "few", "blocks"]
    )
    samples: int = 256  # test images that are kept, with their features at evaluations; 0 for none
    transfer: list[str] = field(  # other sets the same encoder is scored on: of runs.evaluation.transfer, paths, or all
        default_factory=lambda: ["digits"]
    )
    data_root: str | None = None  # folder of the data sets named in transfer, as torchvision keeps them or as .npz
    download: bool = False  # whether torchvision may fetch those that are not there


class Scored(Tunable, Protocol):
    """What is scored; features are the last block's output, its H, W and C flattened in that order."""

    def encode_blocks(self, images: Tensor) -> list[Tensor]:
        """Every block's output (B, C, H, W)."""


class Evaluation:
    """The tasks of a run, and what is asked at each evaluation; it draws nothing that training draws."""

    def __init__(self, settings, device: torch.device):
        self.settings, self.device = settings, device
        self.tasks, self.notes = tasks(settings, device)
        self.drift = drift_of(settings)
        night = settings.env.get("drift") == "day_night"
        self.night = {"phases/phase1": moving_objects_dark(settings, device)} if night else {}
        self.samples = Samples(self.tasks["linear"].test, count=settings.eval.samples, every=settings.eval.every)

    def due(self, before: int, now: int) -> bool:
        """Whether an evaluation is, after the frames in (before, now]: now and then, and where a phase ends."""
        return due(self.settings.eval.every, before, now) or due(self.drift.get("segment", 0), before, now)

    @property
    def phases(self) -> int:
        """How many blocks the categories come in; 0 where they all come at once."""
        return self.settings.env.phases if self.settings.env.get("drift") == "categories" else 0

    def baselines(self) -> dict[str, Scores]:
        """What no learning reaches. The random encoder is a run's own first score."""
        return baselines(self.tasks, device=self.device)

    def scores(self, encoder: Scored, *, frames: int) -> dict[str, dict[str, Any]]:
        """All scores of an encoder that has learned from so many frames: {eval/linear: {top1, ...}, ...}.

        `samples` holds the features of a few test images. Probes of `eval.ends` are done where a run begins and ends.
        """
        probes, task = asked(self.settings, frames), self.tasks["linear"]
        if "blocks" in probes:
            *lower, seen = encoded_blocks(encoder, task, device=self.device)
        else:
            lower, seen = [], encoded(encoder.encode, task, device=self.device)
        found = world_scores(seen, task, probes=probes, phases=self.phases, device=self.device)
        if "blocks" in probes:
            top = {name: score for name, score in found.items() if name.partition("/")[0] in LABEL_PROBES}
            found |= block_scores(lower, task, probes=probes, device=self.device)
            found |= {at_block(name, len(lower) + 1): score for name, score in top.items()}
        if self.night:
            found["phases/phase0"] = found["linear"]
        others = self.night | {name: task for name, task in self.tasks.items() if name != "linear"}
        found = {f"eval/{name}": score for name, score in found.items()}
        found |= scores(encoder.encode, others, under="eval", device=self.device)
        return found | self.samples.of(seen.test, frames=frames, last=at_an_end(self.settings, frames))

    def fine_tuned(
        self, encoder: Scored, names: Iterable[str], *, stop: Stop, tell: Callable[[str], None]
    ) -> dict[str, Scores]:
        """What copies of the encoder come to that learn these tasks: {eval/finetune/linear: {top1, ...}, ...}.

        Takes minutes. Those that `stop` left no time for are not among them.
        """
        found, seed = {}, self.settings.eval.seed
        for name in names:
            score = fine_tune(encoder, self.tasks[name], seed=seed, device=self.device, stop=stop, tell=tell)
            if score:
                found[f"eval/finetune/{name}"] = score._asdict()
        return found


def at_an_end(settings, frames: int) -> bool:
    """Whether a run of so many frames is about to begin, or has come to its end."""
    return frames == 0 or frames >= settings.run.frames


def asked(settings, frames: int) -> set[str]:
    """What is to be done with an encoder that has learned from so many frames: of `eval.probes` and `eval.ends`."""
    return {*settings.eval.probes, *(settings.eval.ends if at_an_end(settings, frames) else ())}


def owed(settings, *, frames: int, latest: dict[str, int]) -> list[str]:
    """The tasks on which an encoder was probed after so many frames and is yet to be fine-tuned.

    `latest` says of each series the frames of its last row. What a run that was stopped owes, it does when resumed.
    """
    if "finetune" not in asked(settings, frames):
        return []
    probed = [name.removeprefix("eval/") for name, last in latest.items() if last == frames]
    tasks = [name for name in probed if name == "linear" or name.startswith("transfer/")]
    return [name for name in tasks if latest.get(f"eval/finetune/{name}") != frames]


def world_scores(seen: Split, task: Task, *, probes: set[str], phases: int, device: torch.device) -> dict[str, Scores]:
    """What is read off the features of the world's own images: {linear: {top1, ...}, factors/position: ..., ...}.

    The score of a phase is that of the one linear probe of all categories on the test images of the phase's own.
    """
    labels, classes = labels_of(task, device), task.classes
    wanted = {"linear": labels}
    if "factors" in probes:
        wanted |= {f"factors/{name}": of for name, of in factor_targets(task, device=device).items()}
    said = ridge_answers(seen, wanted)
    found = {name: scored(said[name], of) for name, of in wanted.items()}
    edges = block_edges(classes, phases=phases).tolist() if phases else []
    for phase, (first, past) in enumerate(pairwise(edges)):
        rows = (labels.test >= first) & (labels.test < past)
        found[f"phases/phase{phase}"] = {"top1": top1(said["linear"].test[rows], labels.test[rows])}
    return found | other_probes(seen, labels, probes=probes, classes=classes)


def other_probes(
    seen: Split, labels: Split, *, probes: set[str], classes: int, queries: int | None = None
) -> dict[str, Scores]:
    """What other probes than the linear one make of the labels: {knn: ..., logistic: ..., few/1: ..., ...}."""
    found = {}
    if "knn" in probes:
        found["knn"] = knn_probe(*(of._replace(test=of.test[:queries]) for of in (seen, labels)), classes=classes)
    if "logistic" in probes:
        found["logistic"] = logistic_probe(seen, labels, classes=classes)
    if "few" in probes:
        found |= {f"few/{count}": score for count, score in few_label_probes(seen, labels, classes=classes).items()}
    return found


def encoded_blocks(encoder: Scored, task: Task, *, device: torch.device) -> list[Split]:
    """The features of every block from one pass: pooled below the top, at the top as they are."""
    widths = []

    def side_by_side(images: Tensor) -> Tensor:
        maps = encoder.encode_blocks(images)
        found = [*(pooled(of) for of in maps[:-1]), flat(maps[-1])]
        widths[:] = [of.shape[1] for of in found]
        return torch.cat(found, 1)

    parts = [features(side_by_side, part.images, device=device).split(widths, 1) for part in task[1:4]]
    return [Split(*of) for of in zip(*parts, strict=True)]


def block_scores(blocks: list[Split], task: Task, *, probes: set[str], device: torch.device) -> dict[str, Scores]:
    """All probes of the labels at these blocks: {blocks/block1: {top1, ...}, blocks/knn/block1: {top1}, ...}.

    Neighbours, which take the longest to find, are looked up for the first 1,000 test images alone.
    """
    labels, found = labels_of(task, device), {}
    for number, seen in enumerate(blocks, 1):
        here = {"linear": ridge_probes(seen, {"labels": labels})["labels"]}
        here |= other_probes(seen, labels, probes=probes, classes=task.classes, queries=BLOCK_QUERIES)
        found |= {at_block(name, number): score for name, score in here.items()}
    return found


def at_block(probe: str, block: int) -> str:
    """What the score of a probe of a block is called: `blocks/block1` of the linear one, `blocks/knn/block1`, ..."""
    return f"blocks/{'' if probe == 'linear' else f'{probe}/'}block{block}"


def tasks(settings, device: torch.device) -> tuple[dict[str, Task], list[str]]:
    """All that a run is scored on, by the name of the score (`linear`, `transfer/digits`, ...); what is to be said.

    Raises:
        SettingError: pictures without classes, or transfer sets that are not there or are none.
    """
    of = of_settings(settings)
    if of["env_id"]:
        own = world_task(**of, device=device)
        where = f"env.path={of['path']}" if "path" in of else f"env={of['env_id']}"
    else:
        own = recorded_task(settings.stream.path, images=of["images"], seed=of["seed"], device=device)
        where = f"stream.path={settings.stream.path}"
    if len(own.train.labels.unique()) < 2:
        raise SettingError(
            f"{where} shows one class only, which leaves a probe nothing to tell apart; set eval.every=0, or add "
            "classes (which are the sub-folders of a folder of pictures)"
        )
    others, notes = load_all(settings, device)
    return {"linear": own} | {f"transfer/{name}": task for name, task in others.items()}, notes


def scores(encode, tasks: dict[str, Task], *, under: str, device: torch.device) -> dict[str, Scores]:
    """Linear probes of an encoder on every task: {under/name: {top1, validation_top1, strength}}."""
    return {f"{under}/{name}": linear_probe(encode, task, device=device)._asdict() for name, task in tasks.items()}


def baselines(tasks: dict[str, Task], *, device: torch.device) -> dict[str, Scores]:
    """What no learning reaches: raw pixels, mean colour and chance. The random encoder is a run's own first score."""
    found = {}
    for name, encode in (("pixels", pixels), ("mean_colour", mean_colour)):
        found |= scores(encode, tasks, under=f"baseline/{name}", device=device)
    return found | {f"baseline/chance/{name}": {"top1": chance(task)} for name, task in tasks.items()}
