import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.wrappers import RecordVideo
from gymnasium.wrappers.vector import RecordVideo as RecordVectorVideo
from PIL import Image

import envs
from tests.helpers.meshes import folder_of

RIGHT, STILL = np.array([0.5, 0.0], np.float32), np.zeros(2, np.float32)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """The settings of small worlds, by their id."""
    folder = folder_of(tmp_path_factory.mktemp("meshes"), files=2)
    pictures = tmp_path_factory.mktemp("pictures")
    for name in ("a", "b"):
        (pictures / name).mkdir()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)).save(
            pictures / name / "1.png"
        )
    return {
        "MovingObjects-v0": {"size": 16},
        "MovingMeshes-v0": {"size": 16, "path": str(folder), "split": "all"},
        "MovingImages-v0": {"path": str(pictures), "split": "all"},
        "Counting-v0": {"size": 16},
    }


WORLDS = ("MovingObjects-v0", "MovingMeshes-v0", "MovingImages-v0", "Counting-v0")


@pytest.mark.parametrize("again", [copy.deepcopy, lambda world: pickle.loads(pickle.dumps(world))])
@pytest.mark.parametrize("name", WORLDS)
def test_a_copy_goes_on_as_the_world_does_and_apart_from_it(settings, name, again):
    world = gym.make(name, render_mode="rgb_array", **settings[name])
    world.reset(seed=3)
    world.step(RIGHT)
    other = again(world)
    assert np.array_equal(other.render(), world.render())
    expected = [world.step(RIGHT)[0] for _ in range(3)]
    assert all(np.array_equal(other.step(RIGHT)[0], frame) for frame in expected)


@pytest.mark.parametrize("name", WORLDS)
def test_a_copied_vector_keeps_its_mode_and_its_draws(settings, name):
    world = gym.make_vec(name, num_envs=3, autoreset_mode="SameStep", **settings[name])
    fresh = copy.deepcopy(world)
    assert fresh.autoreset_mode is gym.vector.AutoresetMode.SAME_STEP
    world.reset(seed=1)
    world.step(np.zeros((3, 2)))
    other = copy.deepcopy(world)
    assert torch.equal(other.step(np.ones((3, 2)))[0], world.step(np.ones((3, 2)))[0])
    assert np.array_equal(other.seeds, world.seeds)
    assert other.np_random_seed == world.np_random_seed == 1


@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
@pytest.mark.parametrize("name", WORLDS[:2])
def test_single_worlds_side_by_side_are_the_vector(settings, name, kind):
    world = gym.make_vec(name, num_envs=2, **settings[name])
    several = kind([lambda: gym.make(name, **settings[name])] * 2)
    try:
        assert np.array_equal(several.reset(seed=5)[0], world.reset(seed=5)[0])
        for _ in range(3):
            shift = np.stack([RIGHT, STILL])
            assert np.array_equal(several.step(shift)[0], world.step(shift)[0])
    finally:
        several.close()


def test_gymnasium_records_videos_of_one_world_and_of_several(settings, tmp_path):
    one = RecordVideo(
        gym.make("MovingObjects-v0", render_mode="rgb_array", episode_length=4, size=32), str(tmp_path / "one")
    )
    several = RecordVectorVideo(
        gym.make_vec("MovingObjects-v0", num_envs=2, render_mode="rgb_array", episode_length=4, size=32),
        str(tmp_path / "two"),
    )
    for world, shift in ((one, STILL), (several, np.zeros((2, 2)))):
        world.reset(seed=0)
        for _ in range(5):
            _, _, _, truncated, _ = world.step(shift)
            if world is one and truncated:
                world.reset()
        world.close()
    assert [*(tmp_path / "one").glob("*.mp4")]
    assert [*(tmp_path / "two").glob("*.mp4")]


def test_a_film_shows_one_world_or_several_moving(tmp_path):
    one = envs.show(gym.make("MovingObjects-v0", episode_length=4), steps=10)
    assert one.frames.shape == (10, 160, 160, 3)
    assert len({frame.tobytes() for frame in one.frames}) > 5
    several = envs.show(gym.make_vec("MovingObjects-v0", num_envs=5), steps=3)
    assert several.frames.shape == (3, 2 * 160 + 2, 3 * 160 + 4, 3)
    with Image.open(several.save(tmp_path / "film.gif")) as film:
        assert (film.n_frames, film.size) == (3, (484, 322))
    assert several._repr_html_().startswith('<img src="data:image/gif;base64,')


def test_a_film_shows_what_an_eye_does():
    world = gym.make("MovingObjects-v0")
    assert not np.array_equal(
        envs.show(world, steps=4).frames, envs.show(world, steps=4, act=lambda frame, info: RIGHT).frames
    )


def test_no_reward_unless_asked_for():
    world = gym.make_vec("MovingObjects-v0", num_envs=2)
    world.reset(seed=0)
    assert world.step(np.ones((2, 2)))[1].tolist() == [0, 0]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_tracking_is_worth_what_is_left_of_a_half_width(mode):
    world = gym.make_vec("MovingObjects-v0", num_envs=3, reward="tracking", episode_length=4, autoreset_mode=mode)
    _, info = world.reset(seed=0)
    generator = np.random.default_rng(0)
    for _ in range(9):
        _, reward, _, _, info = world.step(generator.uniform(-1, 1, (3, 2)))
        ended = info.get("_final_obs", np.zeros(3, bool))
        shown = info["final_info"] if ended.any() else info
        away = np.hypot(*(shown["bearing"] - shown["gaze"]).numpy().T)
        expected = np.clip(1 - away, 0, None) * (world.age > 0 if mode == "NextStep" else 1)
        assert reward == pytest.approx(expected, abs=1e-6)
        assert reward.max() > 0 or not world.age.any()


def test_a_single_world_gives_the_reward_of_the_vector():
    one = gym.make("MovingObjects-v0", reward="tracking")
    several = gym.make_vec("MovingObjects-v0", num_envs=1, reward="tracking")
    one.reset(seed=2)
    several.reset(seed=2)
    reward = one.step(RIGHT)[1]
    assert isinstance(reward, float)
    assert reward == several.step(RIGHT[None])[1][0]


def test_an_unknown_reward_is_refused():
    with pytest.raises(envs.SettingError, match=r"env.reward=near.*tracking"):
        gym.make("MovingObjects-v0", reward="near")
