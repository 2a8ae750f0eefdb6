"""What a vector world must give, so that runs can learn from it, score on it, record it and resume."""

from dataclasses import fields, is_dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from envs.arguments import typed
from envs.errors import SettingError

SETTINGS = ("name", "id", "num_worlds", "size", "episode_length", "split", "stagger")  # fields that every world has
NEEDED = {  # attributes of a world, and what each is
    "settings": "the dataclass of its settings",
    "categories": "how many there are",
    "episode_length": "frames of an episode",
    "device": "where its frames are",
    "state_dict": "its state, to resume from",
    "load_state_dict": "which takes that state",
}
WAY_OUT = "subclass envs.VectorWorld, which has the rest (examples/bouncing_square.py)"


def missing(world: gym.vector.VectorEnv) -> list[str]:
    """What a vector environment lacks to be a world, a line each; none of it is asked of `streams.pairs`."""
    inner = world.unwrapped
    lines = [f"{name} ({what})" for name, what in NEEDED.items() if not hasattr(inner, name)]
    settings = getattr(inner, "settings", None)
    if settings is not None and is_dataclass(settings):
        known = {field.name for field in fields(settings)}
        lines += [f"settings.{name}" for name in SETTINGS if name not in known]
    return lines


@typed
def check_world(world: gym.vector.VectorEnv, *, steps: int = 3) -> None:
    """Goes through a few steps of a vector world, and compares what it gives with what a run needs.

    Args:
        world: N worlds, as from `gymnasium.make_vec`; it is reset.
        steps: how many are taken.

    Raises:
        SettingError: one line with everything that is missing or wrong.

    >>> import gymnasium as gym, envs
    >>> envs.check_world(gym.make_vec("Counting-v0", num_envs=2))
    """
    name, lacks = type(world.unwrapped).__name__, missing(world)
    if lacks:
        raise SettingError(f"{name} is no world: it lacks {', '.join(lacks)}; {WAY_OUT}")
    wrong = _wrong(world.unwrapped, steps)
    if wrong:
        raise SettingError(f"{name} breaks the contract of a world: {'; '.join(wrong)}; see envs/contract.py")


def _wrong(world: Any, steps: int) -> list[str]:
    """What a world that has all attributes gives otherwise than it should, a line each."""
    still = torch.zeros(world.num_envs, *world.single_action_space.shape)
    frames, info = world.reset(seed=0)
    lines = _of_frames(world, frames) + _of_info(world, info)
    for _ in range(steps):
        frames, _, _, _, info = world.step(still)
    lines += _of_info(world, info)
    state = world.state_dict()
    ahead = world.step(still)[0]
    world.load_state_dict(state)
    if not torch.equal(torch.as_tensor(ahead), torch.as_tensor(world.step(still)[0])):
        lines.append("load_state_dict does not bring back the frames that followed state_dict")
    first = torch.as_tensor(world.reset(seed=0)[0])
    if not torch.equal(first, torch.as_tensor(world.reset(seed=0)[0])):
        lines.append("reset(seed=0) shows other frames the second time")
    if torch.equal(first, torch.as_tensor(world.reset(seed=10_000)[0])):
        lines.append("reset shows the same frames whatever the seed")
    return list(dict.fromkeys(lines))


def _of_frames(world: Any, frames: Any) -> list[str]:
    size = world.settings.size
    if not isinstance(frames, Tensor):
        return [f"frames are {type(frames).__name__} and not torch tensors"]
    shape, expected = tuple(frames.shape), (world.num_envs, size, size, 3)
    if shape != expected or frames.dtype != torch.uint8:
        return [f"frames are {shape} {frames.dtype}, not {expected} torch.uint8 (N, settings.size, settings.size, 3)"]
    return []


def _of_info(world: Any, info: dict[str, Any]) -> list[str]:
    lines = []
    episode = info.get("episode_id")
    if episode is None or tuple(episode.shape) != (world.num_envs,) or len(np.unique(episode)) < world.num_envs:
        lines.append("info['episode_id'] is not (N,) numbers, unique over worlds and time")
    category = info.get("category")
    kinds = range(world.categories) if getattr(world, "kinds", None) is None else world.kinds
    if category is None or tuple(category.shape) != (world.num_envs,) or not np.isin(category.cpu(), kinds).all():
        lines.append(f"info['category'] is not (N,) numbers of {world.categories} categories")
    for name, factor in info.items():
        if not isinstance(factor, Tensor) or factor.shape[:1] != (world.num_envs,):
            lines.append(f"info[{name!r}] is no tensor (N, ...) of ground truth")
    return lines
