"""A world as a classification task: its categories, shown by instances that training never meets."""

from dataclasses import fields
from typing import Any, cast

import gymnasium as gym
import torch
from torch import Tensor

import envs  # noqa: F401  registers the worlds
from envs.base import VectorWorld
from envs.errors import SettingError
from envs.scene.categories import CATEGORIES
from envs.scene.drift import DriftSettings
from envs.scene.settings import SceneSettings
from runs.evaluation.features import LabelledImages, Task, numbered
from streams.seeding import seeds_of

BATCH = 2048  # worlds rendered at once
MIDNIGHT = {"drift": "day_night", "phase_length": 1, "recurring": False, "steps": 2}  # when it is, and stays
OWN = {"categories", "instances", "split", "stagger", "reward", *(field.name for field in fields(DriftSettings))}
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


def classes_of(env_id: str, *, images: dict[str, int], seed: int, device, **settings: Any) -> int:
    """How many classes a `world_task` will have. Raises SettingError as it would, which renders much more."""
    for split in images:
        world = gym.make_vec(env_id, num_envs=1, device=device, split=split, **settings | {"stagger": True})
        world.close()
    return cast(VectorWorld, world.unwrapped).categories


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


def check_unseen_categories(settings) -> None:
    """Raises SettingError where a run's world does not leave out two categories or more."""
    if settings.env.id != "MovingObjects-v0":
        raise SettingError(f"eval.transfer=[unseen_categories] is of env=moving_objects, not of {settings.env.name}")
    known, all_of_them = settings.env.categories, len(CATEGORIES)
    if known > all_of_them - 2:
        raise SettingError(
            f"eval.transfer=[unseen_categories] finds fewer than two that env.categories={known} leaves out; "
            f"try env.categories={all_of_them // 2}"
        )


def unseen_categories(settings, device) -> Task:
    """Those of envs.scene.categories that a run's world leaves out. Raises SettingError: fewer than two.

    A quarter of the images that `eval.train` and the like say, for the time that encoding takes.
    """
    check_unseen_categories(settings)
    args, known, all_of_them = of_settings(settings), settings.env.categories, len(CATEGORIES)
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


def other_world(env_id: str, settings, device, **own: Any) -> Task:
    """Another world of moving objects, with the run's motion, light and room where its own world has such settings."""
    shared = {field.name for field in fields(SceneSettings)} - OWN
    scene = {name: of for name, of in settings.env.items() if name in shared and "shadows" in settings.env}
    images = {split: settings.eval[split] for split in ("train", "validation", "test")}
    world = {"size": settings.env.size} | scene | own
    return world_task(env_id, images=images, seed=settings.eval.seed, device=device, **world)


def check_moving_objects(settings) -> None:
    """Raises SettingError where the solids are the run's own world."""
    if settings.env.id == "MovingObjects-v0":
        raise SettingError("eval.transfer=[moving_objects] is the run's own world; leave it out")


def moving_objects(settings, device) -> Task:
    """The solids of MovingObjects-v0. Raises SettingError: they are the run's own world."""
    check_moving_objects(settings)
    return other_world("MovingObjects-v0", settings, device)._replace(name="moving_objects")


def moving_meshes(settings, device) -> Task:
    """The meshes of `eval.meshes`. Raises SettingError: it is not given, or cannot be shown."""
    path = settings.eval.get("meshes")
    if not path:
        raise SettingError("eval.transfer=[moving_meshes] needs eval.meshes=FOLDER, whose sub-folders are categories")
    own = {"path": path, "exclude": tuple(settings.eval.meshes_exclude)}
    try:
        return other_world("MovingMeshes-v0", settings, device, **own)._replace(name="moving_meshes")
    except SettingError as error:
        raise SettingError(
            str(error).replace("env.path", "eval.meshes").replace("env.exclude", "eval.meshes_exclude")
        ) from None


def check_moving_objects_dark(settings) -> None:
    """Raises SettingError where the run's world has no light."""
    if "drift" not in settings.env:
        raise SettingError(f"eval.transfer=[moving_objects_dark] needs a world with a light, not {settings.env.name}")


def moving_objects_dark(settings, device) -> Task:
    """The run's own test world at midnight. Raises SettingError: a world without a light."""
    check_moving_objects_dark(settings)
    return world_task(**of_settings(settings), device=device, midnight=True)._replace(name="moving_objects_dark")
