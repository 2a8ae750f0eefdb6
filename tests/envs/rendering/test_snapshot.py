"""Snapshots made ahead are, to the bit, those made one by one."""

import numpy as np
import pytest
import torch

from envs.moving_objects import MovingObjectsVector
from envs.rendering.snapshot import changes, factors, snapshot
from envs.scene.drift import stops_at
from envs.scenes import FEW

MANY = {"drift": "day_night", "phase_length": 30, "second_light": True, "jitter": 0.3, "occluder": True, "size": 8}


@pytest.mark.parametrize("count", [1, 3, FEW])
def test_a_path_has_the_same_bits_as_its_moments(count):
    for seed in range(4):
        world = MovingObjectsVector(count, stagger=True, episode_length=100, **MANY)
        world.reset(seed=seed)
        for _ in range(130):  # across episodes' ends, and further than a path reaches
            world.step(torch.full((count, 2), 0.1))
            age = torch.from_numpy(world.age.astype(np.float32))
            stops = torch.from_numpy(stops_at(world._start + world.age, world.settings).astype(np.float32))
            alone = snapshot(world.scene, age, world.gaze, world.settings, stops)
            for ahead, moment in zip(
                world._present(), (changes(world.scene, alone), factors(world.scene, alone)), strict=True
            ):
                assert ahead.keys() - {"phase"} == moment.keys()
                assert all(torch.equal(ahead[name], moment[name]) for name in moment)


def test_many_worlds_show_what_a_few_show():
    many, few = MovingObjectsVector(FEW + 1, **MANY), MovingObjectsVector(2, **MANY)
    many.reset(seed=0)
    few.reset(seed=0)
    for _ in range(60):
        images, fewer = many.step(torch.zeros(FEW + 1, 2))[0], few.step(torch.zeros(2, 2))[0]
        assert (images[:2].int() - fewer.int()).abs().max() <= 1  # a power may round otherwise


def test_a_scene_that_is_changed_is_shown_so():
    world = MovingObjectsVector(2, **MANY)
    before, _ = world.reset(seed=0)
    world.scene.radius.zero_()
    assert (world._render(None)[0] != before).any()
    emptied = world._render(None)[0]
    world.scene.color = world.scene.color.clone()
    assert (world._render(None)[0] == emptied).all()
