"""Worlds that never stop moving, as Gymnasium environments: importing this package registers them."""

import gymnasium as gym

for _name, _module, _class in (
    ("MovingObjects-v0", "moving_objects", "MovingObjects"),
    ("MovingImages-v0", "moving_images", "MovingImages"),
    ("Counting-v0", "counting", "Counting"),
):
    gym.register(
        id=_name,
        entry_point=f"envs.{_module}:{_class}",
        vector_entry_point=f"envs.{_module}:{_class}Vector",
    )
