"""Worlds that never stop moving, as Gymnasium environments: importing this package registers them."""

import os

# Before torch is loaded. OpenMP's threads, which learning uses, spin for milliseconds after their last task, in the way
# of the renderer's; told to sleep sooner, on two cores rendering takes two thirds of the time, and learning no longer.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import gymnasium as gym

for _name, _module, _class in (
    ("MovingObjects-v0", "moving_objects", "MovingObjects"),
    ("MovingImages-v0", "moving_images", "MovingImages"),
    ("Counting-v0", "counting", "Counting"),
):
    gym.register(id=_name, entry_point=f"envs.{_module}:{_class}", vector_entry_point=f"envs.{_module}:{_class}Vector")
