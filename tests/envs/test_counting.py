import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import envs  # noqa: F401
from envs.counting import CountingVector, spelt
from envs.errors import SettingError


def test_pixels_spell_seed_episode_and_age():
    world = gym.make_vec("Counting-v0", num_envs=3, episode_length=4)
    image, _ = world.reset(seed=300)
    for step in range(9):
        seed, episode, age = spelt(image.numpy())
        assert seed.tolist() == [300, 301, 302]
        assert episode.tolist() == [step // 4] * 3
        assert age.tolist() == [step % 4] * 3
        image, _, terminated, truncated, info = world.step(np.zeros((3, 2), np.float32))
        assert not terminated.any()
        assert truncated.tolist() == [(step + 1) % 4 == 3] * 3
        assert info["episode_id"].tolist() == [(step + 1) // 4 * 3 + i for i in range(3)]


def test_stagger_spreads_the_ages():
    world = gym.make_vec("Counting-v0", num_envs=64, episode_length=16, stagger=True)
    image, _ = world.reset(seed=0)
    assert len(np.unique(spelt(image.numpy())[2])) > 8


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_single_world_passes_gymnasiums_check():
    check_env(gym.make("Counting-v0").unwrapped)


def test_episode_statistics_count_episodes():
    world = RecordEpisodeStatistics(gym.make_vec("Counting-v0", num_envs=2, episode_length=4))
    world.reset(seed=0)
    infos = [world.step(np.zeros((2, 2), np.float32))[-1] for _ in range(8)]
    assert [("episode" in info) for info in infos] == [False, False, True, False, False, False, True, False]
    assert infos[2]["episode"]["l"].tolist() == [3, 3]


@pytest.mark.parametrize(("setting", "value"), [("size", 3), ("episode_length", 0)])
def test_settings_that_show_nothing_are_refused(setting, value):
    with pytest.raises(SettingError, match=f"env.{setting}={value} .*; try"):
        CountingVector(2, **{setting: value})
