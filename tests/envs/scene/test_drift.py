import gymnasium as gym
import numpy as np
import pytest
import torch

import envs  # noqa: F401
from envs.errors import SettingError
from envs.moving_objects import MovingObjectsVector
from envs.scene.drift import NIGHT, DriftSettings, phase_at, stops_at


def lived(world, steps):
    """Categories, phases and light (T, N) of a world's first steps."""
    infos = [world.reset(seed=5)[1]]
    infos += [world.step(torch.zeros(world.num_envs, 2))[-1] for _ in range(steps - 1)]
    return (torch.stack([info[name] for info in infos]) for name in ("category", "phase", "light_intensity"))


@pytest.mark.parametrize("stagger", [False, True])
def test_each_phase_shows_its_own_block_of_categories_and_all_of_it(stagger):
    world = MovingObjectsVector(
        24, size=8, categories=10, episode_length=3, stagger=stagger, drift="categories", phases=3, phase_length=12
    )
    category, phase, _ = lived(world, 60)
    blocks = [{0, 1, 2}, {3, 4, 5}, {6, 7, 8, 9}]
    for number, block in enumerate(blocks):
        assert set(category[phase == number].tolist()) == block
    order = [phase[t].mode().values.item() for t in range(6, 60, 12)]
    assert order == [0, 1, 2, 0, 1]


def test_without_recurring_the_last_phase_stays():
    settings = DriftSettings(drift="categories", phases=3, phase_length=10, recurring=False)
    assert phase_at(np.array([-4, 0, 9, 10, 29, 30, 1000]), settings).tolist() == [0, 0, 0, 1, 2, 2, 2]


def test_noon_is_as_bright_as_without_drift_and_midnight_is_darkest():
    settings = DriftSettings(drift="day_night", phase_length=100)
    assert stops_at(np.array([50, 150, 250, 100]), settings) == pytest.approx([0, NIGHT, 0, NIGHT / 2])
    settings.recurring = False
    assert stops_at(np.array([150, 250, 9999]), settings) == pytest.approx([NIGHT] * 3)


def test_night_darkens_the_picture_and_nothing_else_changes():
    day = MovingObjectsVector(4, size=16, episode_length=40)
    night = MovingObjectsVector(4, size=16, episode_length=40, drift="day_night", phase_length=20)
    (category, _, light), (dark_category, phase, dark) = lived(day, 31), lived(night, 31)
    assert torch.equal(category, dark_category)
    assert phase[19].tolist() == [0] * 4
    assert phase[20].tolist() == [1] * 4
    assert torch.allclose(dark[30] - light[30], torch.tensor(NIGHT))
    at_night, at_day = (world._image.float().mean() for world in (night, day))
    assert at_night < 0.6 * at_day


def test_a_world_without_drift_is_in_phase_0():
    _, info = gym.make_vec("MovingObjects-v0", num_envs=3, size=8).reset(seed=0)
    assert info["phase"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("setting", "value"), [("drift", "seasons"), ("phase_length", 0), ("phases", 0), ("phases", 13)]
)
def test_a_schedule_that_cannot_be_is_named(setting, value):
    with pytest.raises(SettingError, match=f"env.{setting}"):
        MovingObjectsVector(2, **{"drift": "categories", setting: value})
