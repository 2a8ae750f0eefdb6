"""What an encoder is scored on, and beside what: the world's own test instances, other data, and the baselines."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor

import envs  # noqa: F401  registers the worlds
from runs.probes import LabelledImages, Task, chance, linear_probe, mean_colour, pixels
from runs.transfer import load
from streams.seeding import seed_of

Encoder = Callable[[Tensor], Tensor]  # images (B, 3, H, W) float32 in [0, 1] to features (B, D)
BATCH = 512  # worlds rendered at once


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
        splits[split] = LabelledImages(*(torch.cat(part) for part in zip(*parts, strict=True)))
    classes = 1 + max(int(part.labels.max()) for part in splits.values())
    return Task("linear", splits["train"], splits["validation"], splits["test"], classes)


def _encounters(
    env_id: str, numbers: range, *, split: str, seed: int, device, **settings: Any
) -> tuple[Tensor, Tensor]:
    settings |= {"split": split, "stagger": True} | ({"drift": "none"} if "drift" in settings else {})
    world = gym.make_vec(env_id, num_envs=len(numbers), device=device, **settings)
    frames, info = world.reset(seed=[seed_of(seed, f"evaluation/{split}", number) for number in numbers])
    return frames.permute(0, 3, 1, 2), info["category"]


def tasks(settings, device: torch.device) -> dict[str, Task]:
    """All that a run is scored on, by the name of the score: `linear`, `transfer/digits`, ..."""
    env, wanted = settings.env, settings.eval
    world = {name: value for name, value in env.items() if name not in ("name", "id", "num_worlds", "split", "stagger")}
    images = {split: wanted[split] for split in ("train", "validation", "test")}
    found = {"linear": world_task(env.id, images=images, seed=wanted.seed, device=device, **world)}
    return found | {f"transfer/{name}": load(name, size=env.size) for name in wanted.transfer}


def scores(encode: Encoder, tasks: dict[str, Task], *, under: str, device: torch.device) -> dict[str, dict[str, float]]:
    """Probes an encoder on every task: {under/name: {top1, validation_top1, strength}}."""
    return {f"{under}/{name}": linear_probe(encode, task, device=device)._asdict() for name, task in tasks.items()}


def baselines(tasks: dict[str, Task], *, device: torch.device) -> dict[str, dict[str, float]]:
    """What no learning reaches: raw pixels, mean colour and chance. The random encoder is a run's own first score."""
    found = {}
    for name, encode in (("pixels", pixels), ("mean_colour", mean_colour)):
        found |= scores(encode, tasks, under=f"baseline/{name}", device=device)
    return found | {f"baseline/chance/{name}": {"top1": chance(task)} for name, task in tasks.items()}
