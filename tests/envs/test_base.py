"""What holds for every world: it is a Gymnasium environment, alone and as many, bare and wrapped."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector

import envs  # noqa: F401

STILL = np.zeros((3, 2), np.float32)
WORLDS = ("MovingObjects-v0", "MovingImages-v0", "Counting-v0")


@pytest.fixture(scope="module", params=WORLDS)
def make(request, tmp_path_factory):
    """A maker of worlds, three at once, with episodes of four frames."""
    more = {}
    if request.param == "MovingImages-v0":
        more["path"] = str(tmp_path_factory.mktemp("pictures") / "all.npy")
        np.save(more["path"], np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8))
    defaults = {"num_envs": 3, "size": 16, "episode_length": 4, **more}
    return lambda **settings: gym.make_vec(request.param, **defaults | settings)


def as_numpy(world):
    """Gymnasium's wrappers that compute in numpy come after this one."""
    return vector.ArrayConversion(world, env_xp=torch, target_xp=np)


WRAPPERS = {
    "NumpyToTorch": vector.NumpyToTorch,
    "ArrayConversion": as_numpy,
    "RecordEpisodeStatistics": vector.RecordEpisodeStatistics,
    "ClipAction": vector.ClipAction,
    "RescaleAction": lambda world: vector.RescaleAction(world, np.float32(-2), np.float32(2)),
    "NormalizeReward": vector.NormalizeReward,
    "ClipReward": lambda world: vector.ClipReward(world, -1, 1),
    "FlattenObservation": lambda world: vector.FlattenObservation(as_numpy(world)),
    "GrayscaleObservation": lambda world: vector.GrayscaleObservation(as_numpy(world)),
    "NormalizeObservation": lambda world: vector.NormalizeObservation(as_numpy(world)),
    "RescaleObservation": lambda world: vector.RescaleObservation(as_numpy(world), np.float32(0), np.float32(1)),
    "TransformObservation": lambda world: vector.TransformObservation(world, lambda images: images.float() / 255),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_gymnasiums_vector_wrappers_work_across_the_end_of_episodes(make, wrapper):
    world = WRAPPERS[wrapper](make())
    image, info = world.reset(seed=0)
    assert len(image) == 3
    for step in range(1, 10):
        image, reward, terminated, truncated, info = world.step(torch.zeros(3, 2) if "Torch" in wrapper else STILL)
        assert len(image) == len(reward) == 3
        assert not terminated.any()
        assert truncated.tolist() == [step % 4 == 3] * 3
        assert ("episode" in info) == (wrapper == "RecordEpisodeStatistics" and step % 4 == 3)


def test_it_resets_itself_at_the_next_step_as_it_says_and_as_gymnasiums_own_vector_does(make):
    ours, theirs = make(), make(vectorization_mode="sync")
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    for world in (ours, theirs):
        assert world.observation_space == ours.observation_space
        assert world.action_space == ours.action_space
    for seed in (5, None):  # a reset without a seed goes on to the next episodes
        image, expected = (world.reset(seed=seed)[0] for world in (ours, theirs))
        assert np.array_equal(image.numpy(), expected)
        for _ in range(6):
            (image, *rest, _), (expected, *others, _) = (world.step(STILL) for world in (ours, theirs))
            assert np.array_equal(image.numpy(), expected)
            assert all(map(np.array_equal, rest, others))


def test_frames_are_a_function_of_the_worlds_own_seed_whatever_was_drawn_or_lived_before(make):
    fresh, used = make(), make(num_envs=2)
    np.random.default_rng(1).random(7)
    torch.rand(3)
    used.reset(seed=3)
    for _ in range(5):
        used.step(STILL[:2] + 0.3)
    shown, again = (world.reset(seed=seeds)[0] for world, seeds in ((fresh, [4, 9, 11]), (used, [11, 4])))
    assert torch.equal(shown[[2, 0]], again)
    for _ in range(9):
        assert torch.equal(fresh.step(STILL)[0][[2, 0]], used.step(STILL[:2])[0])


def test_a_world_that_has_not_begun_and_seeds_that_are_none_are_told(make):
    with pytest.raises(gym.error.ResetNeeded):
        make().step(STILL)
    with pytest.raises(ValueError, match="seed=-1"):
        make().reset(seed=-1)
    with pytest.raises(ValueError, match="2 seeds were given for 3 worlds"):
        make().reset(seed=[1, 2])
