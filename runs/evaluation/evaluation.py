"""The scores of an encoder: on the world's own test instances and other data, and beside them the baselines."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

from envs.errors import SettingError
from envs.scene.drift import block_edges
from runs.evaluation.features import FEATURES, PLAIN, Encoder, Split, Task, encoded, encoded_blocks, majority_class
from runs.evaluation.finetune import Tunable, fine_tune
from runs.evaluation.mistakes import MOST_CLASSES, group_of, mistakes_of
from runs.evaluation.probes.linear import top1
from runs.evaluation.probes.registry import Probe, find_probe, linear_probe, probe_scores, registered
from runs.evaluation.probes.ridge import Predictions, Scores, degenerate
from runs.evaluation.recorded_tasks import recorded_task
from runs.evaluation.samples import Samples
from runs.evaluation.transfer import DEFAULT, Maker, notes_on, prepare_all
from runs.evaluation.world_tasks import classes_of, drift_of, moving_objects_dark, of_settings, world_task
from runs.scores import FINETUNE, ON_TRANSFER, WORLD, ScoreKey
from runs.store.timing import due
from streams.process.signals import Stop

BLOCKS = "blocks"  # asks for the probes at every block; FINETUNE for copies of the encoder that learn each task


@dataclass
class EvalSettings:
    """When and on what the encoder is scored"""

    every: int = 16_384  # frames between two evaluations; 0 for none at all
    train: int = 8_000  # images the probe learns from, of training instances
    validation: int = 1_000  # images its strength is chosen on, of validation instances
    test: int = 4_000  # images it is scored on, of test instances
    seed: int = 0  # of the images; runs that share it are scored on the same ones
    probes: list[str] = field(default_factory=lambda: ["linear", "factors"])  # at every evaluation
    ends: list[str] = field(default_factory=lambda: ["knn", "few", "blocks"])  # also at both ends; finetune is slow
    samples: int = 256  # test images that are kept, with their features at evaluations; 0 for none
    transfer: list[str] = field(default_factory=lambda: list(DEFAULT))  # other sets it is scored on: names, paths, all
    meshes: str = ""  # a folder of meshes, whose sub-folders are categories, for moving_meshes in transfer
    meshes_exclude: list[str] = field(default_factory=list)  # its sub-folders that are no categories
    features: str = "last"  # what probes read: last (block, flattened), all_blocks (pooled), pooled (last, over space)
    data_root: str | None = None  # folder of the data sets named in transfer, as torchvision keeps them or as .npz
    download: bool = False  # whether torchvision may fetch those that are not there


class BlockEncoder(Tunable, Protocol):
    """An encoder that is scored; features are the last block's output, its H, W and C flattened in that order."""

    def encode_blocks(self, images: Tensor) -> list[Tensor]:
        """Every block's output (B, C, H, W)."""


class Evaluation:
    """The tasks of a run and the scores that are due on them; it draws nothing that training draws.

    Images that are rendered are rendered when they are first needed. Raises SettingError when made: no classes, or
    transfer sets that are not there.
    """

    def __init__(self, settings, device: torch.device):
        self.settings, self.device = settings, device
        self.drift = drift_of(settings)
        others, self._left_out = prepare_all(settings, device)
        self._makers = {WORLD: prepare_own(settings, device)} | {ScoreKey(name): of for name, of in others.items()}

    @cached_property
    def tasks(self) -> dict[ScoreKey, Task]:
        """All that the encoder is scored on, but for its world at night."""
        return {key: make() for key, make in self._makers.items()}

    @cached_property
    def night(self) -> dict[ScoreKey, Task]:
        """The run's own test world at midnight, where there are nights."""
        if self.settings.env.get("drift") != "day_night":
            return {}
        return {ScoreKey(split="phase1"): moving_objects_dark(self.settings, self.device)}

    @cached_property
    def samples(self) -> Samples:
        """The test images that are kept."""
        own, sizes = self.tasks[WORLD], self.settings.eval
        return Samples(own.test, count=sizes.samples, every=sizes.every, kinds=own.kinds)

    @property
    def notes(self) -> list[str]:
        """What a person should know of the tasks, a line each."""
        tasks = {key.task or place_of(self.settings): task for key, task in self.tasks.items()}
        return self._left_out + notes_on(tasks)

    def baselines(self) -> dict[ScoreKey, Scores]:
        """The scores that need no learning. The random encoder is a run's own first score."""
        return baselines(self.tasks, device=self.device)

    def scores(self, encoder: BlockEncoder, *, frames: int) -> dict[ScoreKey | str, dict[str, Any]]:
        """All scores of an encoder that has learned from `frames` frames: {key: {top1, ...}}.

        `samples` holds the features of a few test images. Probes of `eval.ends` are done where a run begins and ends.
        """
        names = {WORLD.probe, *probes_due(self.settings, frames)}
        probes = [probe for name, probe in registered().items() if name in names]
        scores, predictions, samples = self._own(encoder, probes, by_block=BLOCKS in names, frames=frames)
        if self.settings.env.get("drift") == "categories":  # each phase brings categories of its own
            scores |= phase_scores(predictions[WORLD.probe], self.tasks[WORLD], phases=self.drift["phases"])
        if self.night:
            scores[ScoreKey(split="phase0")] = scores[WORLD]
        others = self.night | {key: task for key, task in self.tasks.items() if key != WORLD}
        transferred = [probe for probe in probes if probe.name in (WORLD.probe, *ON_TRANSFER)]
        elsewhere, answers = self._transferred(self._read(encoder), others, transferred)
        kept: dict[ScoreKey | str, dict[str, Any]] = dict((scores | elsewhere).items())
        if at_an_end(self.settings, frames):
            answers[WORLD] = predictions[WORLD.probe].test
            kept |= {group_of(key): mistakes_of(of, self.tasks[key].test) for key, of in answers.items()}
        return kept | samples

    def _own(
        self, encoder: BlockEncoder, probes: list[Probe], *, by_block: bool, frames: int
    ) -> tuple[dict[ScoreKey, Scores], dict[str, Predictions], dict[str, dict[str, Any]]]:
        """Scores on the run's own world, ridge's predictions, and samples; no features, which take gigabytes, stay."""
        kind, task = self.settings.eval.features, self.tasks[WORLD]
        blocks: list[Split] = []
        if by_block:
            blocks, whole = encoded_blocks(encoder.encode_blocks, task, device=self.device, kind=kind)
        else:
            whole = encoded(self._read(encoder), task, device=self.device)
        scores, predictions = probe_scores(whole, task, probes=probes, device=self.device)
        every = [probe for probe in probes if probe.every_block]
        top = {replace(key, block=len(blocks)): each for key, each in scores.items() if key.kind in map(_name, every)}
        for block, features in enumerate(blocks[:-1] if kind == "last" else blocks, 1):
            scores |= probe_scores(features, task, probes=every, device=self.device, block=block)[0]
        scores |= top if blocks and kind == "last" else {}
        samples = self.samples.of(whole.test, frames=frames, last=at_an_end(self.settings, frames))
        return scores, predictions, samples

    def _read(self, encoder: BlockEncoder) -> Encoder:
        """Images to the features that `eval.features` asks for."""
        kind = self.settings.eval.features
        if kind == "last":
            return encoder.encode
        return lambda images: FEATURES[kind](encoder.encode_blocks(images))

    def _transferred(
        self, encode: Encoder, tasks: dict[ScoreKey, Task], probes: list[Probe]
    ) -> tuple[dict[ScoreKey, Scores], dict[ScoreKey, Tensor]]:
        """The scores of these probes on other tasks, of phases the linear probe's alone; and its answers (M, K)."""
        scores: dict[ScoreKey, Scores] = {}
        answers: dict[ScoreKey, Tensor] = {}
        for key, task in tasks.items():
            mine = [probe for probe in probes if probe.name == WORLD.probe or key.task is not None]
            each, predictions = probe_scores(
                encoded(encode, task, device=self.device), task, probes=mine, device=self.device
            )
            scores |= {replace(key, probe=of.probe): score for of, score in each.items()}
            if key.task is not None:
                answers[key] = predictions[WORLD.probe].test
        return scores, answers

    @property
    def class_names(self) -> dict[str, list[str]]:
        """What the classes of each task are called, by the name of its score."""
        return {key.name: task.class_names for key, task in self.tasks.items() if task.classes <= MOST_CLASSES}

    def fine_tuned(
        self, encoder: BlockEncoder, keys: Iterable[ScoreKey], *, stop: Stop, tell: Callable[[str], None]
    ) -> dict[ScoreKey, Scores]:
        """The scores of copies of the encoder that learn these tasks, minutes each; those after `stop` are left out."""
        scores, seed = {}, self.settings.eval.seed
        for key in keys:
            score = fine_tune(encoder, self.tasks[key], seed=seed, device=self.device, stop=stop, tell=tell)
            if score:
                scores[replace(key, probe=FINETUNE)] = score._asdict()
        return scores


def evaluation_due(settings, before: int, now: int) -> bool:
    """Whether an evaluation is, after the frames in (before, now]: now and then, and where a phase ends."""
    return due(settings.eval.every, before, now) or due(drift_of(settings).get("segment", 0), before, now)


def _name(probe: Probe) -> str:
    return probe.name


def known_probes() -> tuple[str, ...]:
    """The names that `eval.probes` and `eval.ends` may hold."""
    return (*registered(), BLOCKS, FINETUNE)


def at_an_end(settings, frames: int) -> bool:
    """Whether a run that has seen `frames` frames is about to begin, or has come to its end."""
    return frames == 0 or frames >= settings.run.frames


def probes_due(settings, frames: int) -> set[str]:
    """The names in `eval.probes`, and those in `eval.ends` where a run begins or ends."""
    return set(map(find_probe, [*settings.eval.probes, *(settings.eval.ends if at_an_end(settings, frames) else ())]))


def pending_tasks(settings, *, frames: int, latest: Mapping[str, int]) -> list[ScoreKey]:
    """The tasks on which an encoder was probed after `frames` frames and has yet to be fine-tuned; 0: the random one.

    `latest` has the frames of the last row of each series. A run that was stopped does its pending tasks when resumed.
    """
    if FINETUNE not in probes_due(settings, frames):
        return []
    keys = [ScoreKey.parse(path) for path, last in latest.items() if last == frames or frames == 0]
    probed = [key for key in keys if key and key == ScoreKey(key.task)]
    tuned = [path for path, last in latest.items() if last == frames or frames == 0]
    return [key for key in probed if replace(key, probe=FINETUNE).path not in tuned]


def is_pending(settings, *, frames: int, latest: Mapping[str, int]) -> bool:
    """Whether a run that has come to `frames` frames has yet to fine-tune, its random encoder or its present one."""
    return any(pending_tasks(settings, frames=at, latest=latest) for at in (0, frames))


def phase_scores(predictions: Predictions, task: Task, *, phases: int) -> dict[ScoreKey, Scores]:
    """The score of each phase: of the one linear probe of all categories, on the test images of the phase's own."""
    tested, useless = predictions.test, degenerate(predictions.strength, predictions.test)
    labels, scores = task.test.labels.to(tested.device), {}
    for phase, (first, past) in enumerate(pairwise(block_edges(task.classes, phases=phases).tolist())):
        rows = (labels >= first) & (labels < past)
        scores[ScoreKey(split=f"phase{phase}")] = {"top1": top1(tested[rows], labels[rows]), "degenerate": useless}
    return scores


def place_of(settings) -> str:
    """The setting that says what a run shows."""
    if not settings.env.id:
        return f"stream.path={settings.stream.path}"
    return f"env.path={settings.env.path}" if "path" in settings.env else f"env={settings.env.id}"


def prepare_own(settings, device: torch.device) -> Maker:
    """What makes the task of a run's own world or recording. Raises SettingError: there is none."""
    of = of_settings(settings)
    if not of["env_id"]:
        recorded = recorded_task(settings.stream.path, images=of["images"], seed=of["seed"], device=device)
        _check_classes(len(recorded.train.labels.unique()), settings)
        return lambda: recorded
    _check_classes(classes_of(**of, device=device), settings)
    return partial(world_task, **of, device=device)


def _check_classes(classes: int, settings) -> None:
    if classes < 2:
        raise SettingError(
            f"{place_of(settings)} shows one class only, which leaves a probe nothing to tell apart; set eval.every=0, "
            "or add classes (which are the sub-folders of a folder of pictures)"
        )


def linear_scores(encode, tasks: dict[ScoreKey, Task], *, device: torch.device) -> dict[ScoreKey, Scores]:
    """Linear probes of an encoder on every task: {key: {top1, validation_top1, strength}}."""
    return {key: linear_probe(encode, task, device=device) for key, task in tasks.items()}


def baselines(tasks: dict[ScoreKey, Task], *, device: torch.device) -> dict[ScoreKey, Scores]:
    """The scores that need no learning: linear probes of pixels and mean colour, the commonest class, one in K."""
    scores: dict[ScoreKey, Scores] = {}
    for name, encode in PLAIN.items():
        own = linear_scores(encode, tasks, device=device)
        scores |= {replace(key, encoder=name): score for key, score in own.items()}
    for key, task in tasks.items():
        scores[replace(key, encoder="majority_class")] = {"top1": majority_class(task)}
        size = {"classes": task.classes, "images": len(task.test.labels)}  # of the test
        scores[replace(key, encoder="chance")] = {"top1": 1 / task.classes, **size}
    return scores
