"""What an encoder is scored on, and beside what: the world's own test instances, other data, and the baselines."""

from typing import Any, Protocol

import gymnasium as gym
import torch
from torch import Tensor

import envs  # noqa: F401  registers the worlds
from runs.clocks import due
from runs.factors import factor_targets
from runs.probes import (
    LabelledImages,
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
    ridge_probes,
)
from runs.samples import Samples
from runs.transfer import load
from streams.seeding import seed_of

BATCH = 512  # worlds rendered at once


class Scored(Protocol):
    """What is scored; images are (B, 3, H, W) float32 in [0, 1]."""

    def encode(self, images: Tensor) -> Tensor:
        """Features (B, D): the last block's output, its H, W and C flattened in that order."""

    def encode_blocks(self, images: Tensor) -> list[Tensor]:
        """Every block's output (B, C, H, W)."""


class Evaluation:
    """The tasks of a run, and what is asked at each evaluation; it draws nothing that training draws."""

    def __init__(self, settings, device: torch.device):
        self.settings, self.device, self.tasks = settings, device, tasks(settings, device)
        self.samples = Samples(self.tasks["linear"].test, count=settings.eval.samples, every=settings.eval.every)

    def due(self, before: int, now: int) -> bool:
        """Whether an evaluation is, after the frames in (before, now]."""
        return due(self.settings.eval.every, before, now)

    def baselines(self) -> dict[str, Scores]:
        """What no learning reaches. The random encoder is a run's own first score."""
        return baselines(self.tasks, device=self.device)

    def scores(self, encoder: Scored, *, frames: int) -> dict[str, dict[str, Any]]:
        """All scores of an encoder that has learned from so many frames: {eval/linear: {top1, ...}, ...}.

        `samples` holds the features of a few test images. Probes of `eval.ends` are done where a run begins and ends.
        """
        whole = frames == 0 or frames >= self.settings.run.frames
        probes = {*self.settings.eval.probes, *(self.settings.eval.ends if whole else ())}
        task = self.tasks["linear"]
        if "blocks" in probes:
            *blocks, seen = encoded_blocks(encoder, task, device=self.device)
        else:
            blocks, seen = [], encoded(encoder.encode, task, device=self.device)
        found = world_scores(seen, task, probes=probes, device=self.device)
        found |= block_scores(blocks, task, device=self.device)
        others = {name: task for name, task in self.tasks.items() if name != "linear"}
        found = {f"eval/{name}": score for name, score in found.items()}
        found |= scores(encoder.encode, others, under="eval", device=self.device)
        return found | self.samples.of(seen.test, frames=frames, last=whole)


def world_scores(seen: Split, task: Task, *, probes: set[str], device: torch.device) -> dict[str, Scores]:
    """What is read off the features of the world's own images: {linear: {top1, ...}, factors/position: ..., ...}."""
    labels, classes = labels_of(task, device), task.classes
    wanted = {f"factors/{name}": of for name, of in factor_targets(task, device=device).items()}
    found = ridge_probes(seen, {"linear": labels} | (wanted if "factors" in probes else {}))
    if "knn" in probes:
        found["knn"] = knn_probe(seen, labels, classes=classes)
    if "logistic" in probes:
        found["logistic"] = logistic_probe(seen, labels, classes=classes)
    if "few" in probes:
        found |= {f"few/{count}": score for count, score in few_label_probes(seen, labels, classes=classes).items()}
    return found


def encoded_blocks(encoder: Scored, task: Task, *, device: torch.device) -> list[Split]:
    """The pooled features of every block, and those of the top as they are, from one pass."""
    widths = []

    def side_by_side(images: Tensor) -> Tensor:
        maps = encoder.encode_blocks(images)
        found = [*(pooled(of) for of in maps), flat(maps[-1])]
        widths[:] = [of.shape[1] for of in found]
        return torch.cat(found, 1)

    parts = [features(side_by_side, part.images, device=device).split(widths, 1) for part in task[1:4]]
    return [Split(*of) for of in zip(*parts, strict=True)]


def block_scores(blocks: list[Split], task: Task, *, device: torch.device) -> dict[str, Scores]:
    """The linear probe at every block: {blocks/block1: {top1, ...}, ...}."""
    wanted = {"labels": labels_of(task, device)}
    return {f"blocks/block{number}": ridge_probes(of, wanted)["labels"] for number, of in enumerate(blocks, 1)}


def world_task(env_id: str, *, images: dict[str, int], seed: int, device, **settings: Any) -> Task:
    """A world's categories as a classification task: `images[split]` frames of each split's own instances.

    Every image is another encounter, at a random age, and all categories are met: a drift is left out. The images
    are a function of (seed, split) and of the world's settings, and of nothing that training draws.
    """
    splits = {}
    for split, count in images.items():
        parts = [
            _encounters(
                env_id, range(first, min(first + BATCH, count)), split=split, seed=seed, device=device, **settings
            )
            for first in range(0, count, BATCH)
        ]
        seen, infos = zip(*parts, strict=True)
        factors = {name: torch.cat([info[name] for info in infos]) for name in infos[0] if name != "encounter"}
        splits[split] = LabelledImages(torch.cat(seen), factors["category"], factors)
    classes = 1 + max(int(part.labels.max()) for part in splits.values())
    return Task("linear", splits["train"], splits["validation"], splits["test"], classes)


def _encounters(
    env_id: str, numbers: range, *, split: str, seed: int, device, **settings: Any
) -> tuple[Tensor, dict[str, Tensor]]:
    settings |= {"split": split, "stagger": True} | ({"drift": "none"} if "drift" in settings else {})
    world = gym.make_vec(env_id, num_envs=len(numbers), device=device, **settings)
    frames, info = world.reset(seed=[seed_of(seed, f"evaluation/{split}", number) for number in numbers])
    return frames.permute(0, 3, 1, 2), info


def tasks(settings, device: torch.device) -> dict[str, Task]:
    """All that a run is scored on, by the name of the score: `linear`, `transfer/digits`, ..."""
    env, wanted = settings.env, settings.eval
    world = {name: value for name, value in env.items() if name not in ("name", "id", "num_worlds", "split", "stagger")}
    images = {split: wanted[split] for split in ("train", "validation", "test")}
    found = {"linear": world_task(env.id, images=images, seed=wanted.seed, device=device, **world)}
    return found | {f"transfer/{name}": load(name, size=env.size) for name in wanted.transfer}


def scores(encode, tasks: dict[str, Task], *, under: str, device: torch.device) -> dict[str, Scores]:
    """Linear probes of an encoder on every task: {under/name: {top1, validation_top1, strength}}."""
    return {f"{under}/{name}": linear_probe(encode, task, device=device)._asdict() for name, task in tasks.items()}


def baselines(tasks: dict[str, Task], *, device: torch.device) -> dict[str, Scores]:
    """What no learning reaches: raw pixels, mean colour and chance. The random encoder is a run's own first score."""
    found = {}
    for name, encode in (("pixels", pixels), ("mean_colour", mean_colour)):
        found |= scores(encode, tasks, under=f"baseline/{name}", device=device)
    return found | {f"baseline/chance/{name}": {"top1": chance(task)} for name, task in tasks.items()}
