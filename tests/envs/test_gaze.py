import gymnasium as gym
import pytest
import torch

from envs.errors import SettingError
from envs.scene.motion import WAVES
from streams.live import Live

STEPS = 40


@pytest.fixture
def quick(monkeypatch):
    """Objects that cross the view within an episode, so that there is something to follow."""
    for name in ("x", "y"):
        monkeypatch.setitem(WAVES, name, (*WAVES[name][:3], (60, 90)))


def watch(gaze, count=16):
    """Bearings and gazes (T, N, 2) of a stream."""
    world = gym.make_vec("MovingObjects-v0", num_envs=count, size=8, episode_length=STEPS, stagger=False)
    frames = [next(stream) for stream in [Live(world, seed=0, gaze=gaze)] for _ in range(STEPS)]
    return tuple(torch.stack([frame.factors[name] for frame in frames]) for name in ("bearing", "gaze"))


def test_a_fixed_eye_stays():
    _, gaze = watch("fixed")
    assert not gaze.any()


def test_pursuit_keeps_the_object_in_the_middle(quick):
    bearing, gaze = watch("pursuit")
    assert (bearing - gaze)[1:].abs().max() < 0.07  # a step's motion: the eye is one step behind
    assert bearing.abs().max() > 0.3


def test_saccades_are_jumps_with_rests_between_that_land_near_the_object(quick):
    bearing, gaze = watch("saccades")
    moved = (gaze[1:] != gaze[:-1]).any(2)
    assert 0.08 < moved.float().mean() < 0.17
    landed = (gaze[1:] - bearing[:-1])[moved].abs()
    assert landed.max() <= 0.26  # and the edge of the eye's reach
    assert landed.mean() > 0.08


def test_saccades_go_on_where_they_were_after_a_resume():
    def stream():
        world = gym.make_vec("MovingObjects-v0", num_envs=4, size=8, episode_length=12)
        return Live(world, seed=3, gaze="saccades")

    one = stream()
    for _ in range(9):
        next(one)
    state = one.state_dict()
    expected = [next(one).images for _ in range(20)]
    other = stream()
    other.load_state_dict(state)
    assert all(torch.equal(image, next(other).images) for image in expected)


def test_an_unknown_gaze_and_a_world_without_an_object_are_named():
    world = gym.make_vec("Counting-v0", num_envs=2, size=8)
    with pytest.raises(SettingError, match="stream.gaze=pursue is unknown; did you mean pursuit"):
        Live(world, seed=0, gaze="pursue")
    with pytest.raises(SettingError, match="stream.gaze=pursuit needs .* try fixed"):
        Live(world, seed=0, gaze="pursuit")
