"""What holds for every world: it is a Gymnasium environment, alone and as many, bare and wrapped."""

import subprocess
import sys

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


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_autoreset_mode_and_partial_resets_are_those_of_gymnasiums_own_vector(make, mode):
    ours = make(autoreset_mode=mode)
    theirs = make(vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    for world in (ours, theirs):
        world.reset(seed=5)
    for step in range(1, 9):
        ended = step % 4 == 0 if mode is AutoresetMode.DISABLED else False
        if ended:
            mask = np.ones(3, bool)
            images = [world.reset(options={"reset_mask": mask.copy()})[0] for world in (ours, theirs)]
            assert np.array_equal(images[0].numpy(), images[1])
            continue
        (image, *rest, info), (expected, *others, expected_info) = (world.step(STILL) for world in (ours, theirs))
        assert np.array_equal(image.numpy(), expected)
        assert all(map(np.array_equal, rest, others))
        assert ("final_obs" in info) == ("final_obs" in expected_info)
        if "final_obs" in info:
            assert np.array_equal(info["final_obs"].numpy(), np.stack(expected_info["final_obs"]))
            assert np.array_equal(info["_final_obs"], expected_info["_final_obs"])
            assert info["final_info"]["category"].tolist() == expected_info["final_info"]["category"].tolist()


def test_a_reset_of_some_worlds_leaves_the_others_where_they_are(make):
    world, other = make(), make()
    for one in (world, other):
        one.reset(seed=5)
        one.step(STILL + 0.2)
    mask = np.array([True, False, True])
    image, info = world.reset(options={"reset_mask": mask})
    expected, before = other.reset()[0], other.step(STILL)
    assert torch.equal(image[[0, 2]], expected[[0, 2]])
    assert world.episode.tolist() == [1, 0, 1]
    assert world.age.tolist() == [0, 1, 0]
    assert (info["gaze"][[0, 2]] == 0).all()
    assert (info["gaze"][1] != 0).all()
    assert torch.equal(world.step(STILL)[0][[0, 2]], before[0][[0, 2]])


def test_a_reset_of_some_worlds_with_a_seed_begins_their_first_episode(make):
    world = make()
    world.reset(seed=5)
    image, _ = world.reset(seed=[9, 9, 9], options={"reset_mask": np.array([False, True, False])})
    assert torch.equal(image[1], make().reset(seed=[9, 9, 9])[0][1])
    assert world.seeds.tolist() == [5, 9, 7]


def test_a_world_without_autoreset_asks_to_be_reset(make):
    world = make(autoreset_mode=AutoresetMode.DISABLED)
    world.reset(seed=0)
    for _ in range(3):
        world.step(STILL)
    with pytest.raises(gym.error.ResetNeeded, match=r"worlds \[0, 1, 2\] have ended"):
        world.step(STILL)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"options": {"reset_masks": np.ones(3, bool)}}, "known: reset_mask"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, r"give \(3,\) bool"),
        ({"options": {"reset_mask": np.ones(3)}}, r"give \(3,\) bool"),
        ({"options": {"reset_mask": np.zeros(3, bool)}}, "at least one"),
        ({"seed": [1, -2, 3]}, "holds what is no seed"),
        ({"seed": [1, 2.5, 3]}, "holds what is no seed"),
    ],
)
def test_a_reset_with_arguments_that_mean_nothing_is_refused(make, arguments, line):
    world = make()
    world.reset(seed=0)
    with pytest.raises(ValueError, match=line):
        world.reset(**arguments)


@pytest.mark.parametrize(
    ("action", "line"),
    [
        (np.full((3, 2), np.nan, np.float32), "is not a number"),
        (torch.tensor([[0.0, 0.0], [0.0, float("nan")], [0.0, 0.0]]), "is not a number"),
        (np.zeros((2, 2), np.float32), r"a gaze shift is \(3, 2\)"),
        (np.zeros(6, np.float32), r"a gaze shift is \(3, 2\)"),
    ],
)
def test_an_action_that_is_none_is_refused_and_changes_nothing(make, action, line):
    world, other = make(), make()
    for one in (world, other):
        one.reset(seed=0)
    with pytest.raises(ValueError, match=line):
        world.step(action)
    assert torch.equal(world.step(STILL + 0.1)[0], other.step(STILL + 0.1)[0])


def test_what_is_said_of_the_seed_is_what_was_given(make):
    world = make()
    world.reset(seed=7)
    assert world.np_random_seed == 7
    assert world.np_random.random() == gym.utils.seeding.np_random(7)[0].random()
    world.reset(seed=[1, 2, 3])
    assert world.np_random_seed == (1, 2, 3)


@pytest.mark.parametrize(("settings", "line"), [({"render_mode": "human"}, "render_mode=human"), ({"sise": 8}, "size")])
def test_arguments_that_would_be_ignored_are_refused(make, settings, line):
    with pytest.raises((ValueError, gym.error.Error), match=line):
        make(**settings)


def test_a_single_world_has_no_options(make):
    world = gym.make("Counting-v0", size=16)
    with pytest.raises(ValueError, match="a reset has none"):
        world.reset(seed=0, options={"reset_mask": True})


ASYNC = """if True:
    import numpy as np, torch, gymnasium as gym, envs
    from functools import partial
    from gymnasium.vector import AsyncVectorEnv
    np.save("{0}", np.zeros((20, 16, 16, 3), np.uint8))
    torch.nn.functional.conv2d(torch.randn(64, 3, 64, 64), torch.randn(64, 3, 5, 5))  # with all threads
    for name, more in (("MovingImages-v0", dict(path="{0}")), ("MovingObjects-v0", {{}})):
        make = partial(gym.make, name, size=16, **more)
        make().reset(seed=0)
        world = AsyncVectorEnv([make] * 2)
        world.reset(seed=0)
        print(world.step(np.zeros((2, 2), np.float32))[0].shape)
        world.close()
"""


def test_asynchronous_vectors_of_single_worlds_work_by_default(tmp_path):
    """A forked process has none of the threads that its parent's torch has begun."""
    program = ASYNC.format(tmp_path / "pictures.npy")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout == "(2, 16, 16, 3)\n" * 2, ended.stderr
