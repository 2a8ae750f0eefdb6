"""Worlds that never stop moving, as Gymnasium environments: importing this package registers them.

>>> import gymnasium as gym, envs
>>> world = gym.make_vec("MovingObjects-v0", num_envs=4, size=32)
>>> frames, info = world.reset(seed=0)
>>> tuple(frames.shape), frames.dtype
((4, 32, 32, 3), torch.uint8)
"""

import os

# Before torch is loaded. OpenMP's threads, which learning uses, spin for milliseconds after their last task, in the way
# of the renderer's; told to sleep sooner, on two cores rendering takes two thirds of the time, and learning no longer.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import envs.command.startup_errors  # noqa: F401  # isort: skip  before anything that takes long

from typing import TYPE_CHECKING

import gymnasium as gym

from envs.command.lazy import lazy
from envs.errors import SettingError
from envs.registry import WORLDS

if TYPE_CHECKING:
    from envs.base import SingleWorld, VectorWorld
    from envs.contract import check_world
    from envs.notebook import Film, show
    from envs.worlds import register

__all__ = ["Film", "SettingError", "SingleWorld", "VectorWorld", "check_world", "register", "show"]
__getattr__ = lazy(
    __name__,
    {
        "Film": "envs.notebook",
        "SingleWorld": "envs.base",
        "VectorWorld": "envs.base",
        "check_world": "envs.contract",
        "register": "envs.worlds",
        "show": "envs.notebook",
    },
)

for _name, (_id, _class) in WORLDS.items():
    gym.register(id=_id, entry_point=f"envs.{_name}:{_class}", vector_entry_point=f"envs.{_name}:{_class}Vector")
