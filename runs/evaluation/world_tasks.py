"""A world as a classification task: its categories, shown by instances that training never meets."""

from typing import Any, cast

import gymnasium as gym
import torch
from torch import Tensor

import envs  # noqa: F401  registers the worlds
from envs.base import VectorWorld
from envs.errors import SettingError
from envs.scene.categories import CATEGORIES
from runs.evaluation.features import LabelledImages, Task, numbered
from streams.seeding import seeds_of

BATCH = 2048  # worlds rendered at once
MIDNIGHT = {"drift": "day_night", "phase_length": 1, "recurring": False, "steps": 2}  # when it is, and stays
UNSEEN_SHARE = 4  # of the images of the own task, one in so many of unseen categories


def world_task(env_id: str, *, images: dict[str, int], seed: int, device, midnight=False, **settings: Any) -> Task:
    """A world's categories as a classification task: `images[split]` frames of each split's own instances.

    Every image is another episode, at a random age, and all categories are met: a drift is left out. The images
    are a function of (seed, split) and of the world's settings, and of nothing that training draws. At midnight
    the same episodes are seen two steps later and in 1/8 of their light.
    """
    still = {"drift": "none"} if "drift" in settings else {}
    world = settings | {"stagger": True, "steps": 0, "device": device} | still | (MIDNIGHT if midnight else {})
    splits = {}
    for split, count in images.items():
        batches = (range(first, min(first + BATCH, count)) for first in range(0, count, BATCH))
        parts = [_episodes(env_id, numbers, seed=seed, split=split, **world) for numbers in batches]
        frames, infos, worlds = zip(*parts, strict=True)
        factors = {name: torch.cat([info[name] for info in infos]) for name in infos[0] if name != "episode_id"}
        kinds = () if worlds[0].kinds is None else worlds[0].kinds.tolist()
        labels = numbered(factors["category"], kinds) if kinds else factors["category"]
        splits[split] = LabelledImages(torch.cat(frames), labels, factors)
    train, validation, test = (splits[split] for split in ("train", "validation", "test"))
    note = "; ".join(getattr(worlds[0], "notes", []))
    return Task("linear", train, validation, test, worlds[0].categories, note, kinds, worlds[0].category_names)


def _episodes(
    env_id: str, numbers: range, *, steps: int, split: str, seed: int, device, **settings: Any
) -> tuple[Tensor, dict[str, Tensor], VectorWorld]:
    """Images, factors, and the world that showed them."""
    made = gym.make_vec(env_id, num_envs=len(numbers), device=device, split=split, **settings)
    world = cast(VectorWorld, made.unwrapped)
    frames, info = world.reset(seed=seeds_of(seed, f"evaluation/{split}", numbers))
    for _ in range(steps):
        frames, *_, info = world.step(torch.zeros(len(numbers), 2))
    return frames.permute(0, 3, 1, 2), info, world


def of_settings(settings) -> dict[str, Any]:
    """The arguments of `world_task` for a run's world."""
    env, sizes = settings.env, settings.eval
    world = {name: value for name, value in env.items() if name not in ("name", "id", "num_worlds", "split", "stagger")}
    images = {split: sizes[split] for split in ("train", "validation", "test")}
    return {"env_id": env.id, "images": images, "seed": sizes.seed, **world}


def drift_of(settings) -> dict[str, Any]:
    """How a run's world drifts: {phases, segment (frames that a phase lasts), recurring}; nothing where it does not."""
    env = settings.env
    if env.get("drift", "none") == "none":
        return {}
    phases = env.phases if env.drift == "categories" else 2
    return {"phases": phases, "segment": env.phase_length * env.num_worlds, "recurring": env.recurring}


def spares_categories(settings) -> bool:
    """Whether the run's world leaves out two categories or more."""
    return settings.env.id == "MovingObjects-v0" and settings.env.categories <= len(CATEGORIES) - 2


def unseen_categories(settings, device) -> Task:
    """Those of envs.scene.categories that a run's world leaves out. Raises SettingError: fewer than two.

    A quarter of the images that `eval.train` and the like say, for the time that encoding takes.
    """
    if settings.env.id != "MovingObjects-v0":
        raise SettingError(f"eval.transfer=[unseen_categories] is of env=moving_objects, not of {settings.env.name}")
    known, all_of_them = settings.env.categories, len(CATEGORIES)
    if known > all_of_them - 2:
        raise SettingError(
            f"eval.transfer=[unseen_categories] finds fewer than two that env.categories={known} leaves out; "
            f"try env.categories={all_of_them // 2}"
        )
    args = of_settings(settings)
    counts = {split: -(-count // UNSEEN_SHARE) for split, count in args["images"].items()}
    more = {split: -(-count * all_of_them // (all_of_them - known)) for split, count in counts.items()}
    task = world_task(**args | {"images": more, "categories": all_of_them}, device=device)
    parts = []
    for images, labels, factors in task[1:4]:
        rows = labels >= known
        of_rows = {name: of[rows] for name, of in factors.items()}
        parts.append(LabelledImages(images[rows], labels[rows] - known, of_rows))
    train, validation, test = parts
    names = list(CATEGORIES)[known:]
    return Task("unseen_categories", train, validation, test, all_of_them - known, names=names)


def moving_objects_dark(settings, device) -> Task:
    """The run's own test world at midnight. Raises SettingError: a world without a light."""
    if "drift" not in settings.env:
        raise SettingError(f"eval.transfer=[moving_objects_dark] needs a world with a light, not {settings.env.name}")
    return world_task(**of_settings(settings), device=device, midnight=True)._replace(name="moving_objects_dark")
