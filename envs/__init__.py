"""Worlds that never stop moving, as Gymnasium environments: importing this package registers them."""

import os

# Before torch is loaded. OpenMP's threads, which learning uses, spin for milliseconds after their last task, in the way
# of the renderer's; told to sleep sooner, on two cores rendering takes two thirds of the time, and learning no longer.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import envs.starting  # noqa: F401  # isort: skip  before anything that takes long

import gymnasium as gym

from envs.registry import WORLDS

for _name, (_id, _class) in WORLDS.items():
    gym.register(id=_id, entry_point=f"envs.{_name}:{_class}", vector_entry_point=f"envs.{_name}:{_class}Vector")
