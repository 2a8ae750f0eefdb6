from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import envs
from envs.errors import SettingError
from envs.moving_objects import MovingObjectsVector
from envs.scene.settings import NUISANCES

STILL = np.zeros((1, 2), np.float32)


def worlds(count, **settings):
    return gym.make_vec("MovingObjects-v0", num_envs=count, episode_length=6, size=24, **settings)


def film(world, steps, seed=0):
    """(T, N, H, W, 3) frames and the infos that came with them."""
    image, info = world.reset(seed=seed)
    images, infos = [image], [info]
    for _ in range(steps - 1):
        image, *_, info = world.step(np.zeros((world.num_envs, 2), np.float32))
        images.append(image)
        infos.append(info)
    return torch.stack(images), infos


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("settings", [{}, {"occluder": True, "axis": "any"}])
def test_the_single_world_passes_gymnasiums_check(settings):
    check_env(gym.make("MovingObjects-v0", episode_length=6, **settings).unwrapped)


def test_world_i_of_n_shows_the_same_frames_whatever_n_is():
    many, _ = film(worlds(5, stagger=True), 14)
    few, _ = film(worlds(2, stagger=True), 14)
    assert torch.equal(many[:, :2], few)


def test_the_single_world_shows_what_the_vector_world_shows():
    one = gym.make("MovingObjects-v0", episode_length=6, size=24)
    image, _ = one.reset(seed=0)
    frames, _ = film(worlds(1), 6)
    assert np.array_equal(image, frames[0, 0].numpy())
    for step in range(1, 6):
        image, _, terminated, truncated, _ = one.step(STILL[0])
        assert np.array_equal(image, frames[step, 0].numpy())
        assert (terminated, truncated) == (False, step == 5)


def test_frames_handed_out_are_not_written_again():
    world = worlds(2)
    first, _ = world.reset(seed=1)
    kept = first.clone()
    world.step(np.zeros((2, 2), np.float32))
    assert torch.equal(first, kept)


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_a_frozen_nuisance_is_still_and_the_others_do_not_notice(nuisance):
    factors = {
        "orientation": "rotation",
        "distance": "scale",
        "light_direction": "light_direction",
        "light_intensity": "light_intensity",
        "light_color": "light_color",
        "background_offset": "background",
        "background_color": "background",
    }
    _, free = film(worlds(3), 6)
    _, held = film(worlds(3, moving=[name for name in NUISANCES if name != nuisance]), 6)
    for name, of in factors.items():
        if of == nuisance:
            assert all(torch.equal(info[name], held[0][name]) for info in held)
        else:
            assert all(torch.equal(a[name], b[name]) for a, b in zip(free, held, strict=True))
    # position moves with distance too, but not where it lies in the view
    sideways = [info["position"][:, :2] / info["distance"][:, None] for info in held]
    assert all(torch.allclose(place, sideways[0], atol=1e-6) for place in sideways) == (nuisance == "translation")


def test_with_everything_frozen_the_pixels_are_still():
    frames, _ = film(worlds(3, moving=[]), 6)
    assert all(torch.equal(frame, frames[0]) for frame in frames)


def test_everything_moves_by_default():
    frames, _ = film(worlds(3), 6)
    assert all(not torch.equal(a, b) for a, b in pairwise(frames))


def test_splits_share_no_instance():
    met = {}
    for split in ("train", "validation", "test"):
        _, infos = film(worlds(64, split=split, instances=8), 13)
        met[split] = {int(number) for info in infos for number in info["instance"]}
    assert all(len(numbers) == 8 for numbers in met.values())
    assert not met["train"] & met["validation"] | met["train"] & met["test"] | met["validation"] & met["test"]


def test_the_gaze_shifts_the_picture_by_whole_pixels_where_asked():
    world = worlds(2, moving=[], background="plain", shadows=False)
    straight, _ = world.reset(seed=3)
    aside, *_ = world.step(np.array([[2 * 6 / 24 / 0.5, 0.0]] * 2, np.float32))  # 6 of 24 pixels to the right
    assert torch.equal(straight[:, :, 6:], aside[:, :, :-6])


def test_mask_depth_and_normals_can_be_asked_of_one_world_and_of_many_for_the_frame_last_seen():
    one, many = gym.make("MovingObjects-v0", episode_length=6, size=24), worlds(2)
    one.reset(seed=1)
    many.reset(seed=0)  # whose second world is the same
    shift = np.array([0.3, 0.2], np.float32)  # of the eye
    one.step(shift)
    many.step(np.stack([shift, shift]))
    truth, of_all = one.unwrapped.ground_truth(), many.ground_truth()
    for mine, theirs in zip(truth, of_all, strict=True):
        np.testing.assert_array_equal(mine, theirs[1].numpy())
    assert 0.01 < (truth.mask == 1).mean() < 0.5
    one.reset(seed=1)
    assert ((one.unwrapped.ground_truth().mask == 1) != (truth.mask == 1)).any()  # the eye looks straight ahead again


def test_a_saved_world_goes_on_bit_for_bit():
    world = worlds(4, stagger=True)
    film(world, 9)
    state = world.unwrapped.state_dict()
    expected = [world.step(np.full((4, 2), 0.1, np.float32))[0] for _ in range(8)]
    other = worlds(4, stagger=True).unwrapped
    other.load_state_dict(state)
    assert all(torch.equal(frame, other.step(np.full((4, 2), 0.1, np.float32))[0]) for frame in expected)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("size", 2), ("categories", 0), ("split", "trial"), ("moving", ["shape"]), ("speed", -1), ("episode_length", 1)],
)
def test_a_setting_out_of_range_is_named(setting, value):
    with pytest.raises(SettingError, match=f"env.{setting}"):
        envs.moving_objects.MovingObjectsVector(2, **{setting: value})


def test_a_picture_behind_the_object_is_one_of_those_given(tmp_path):
    """Where all pictures are of one grey, the room is of that grey times the light; other pictures, another room."""
    frames = []
    for grey in (60, 120, 240):
        np.save(tmp_path / f"{grey}.npy", np.full((5, 8, 8, 3), grey, np.uint8))
        world = MovingObjectsVector(
            6, size=24, background="pictures", background_path=str(tmp_path / f"{grey}.npy"), shadows=False
        )
        image, _ = world.reset(seed=0)
        wall = world.ground_truth().mask == 0
        frames.append(torch.where(wall[..., None], image.float(), -1.0))
    linear = [srgb_to_linear(frame / 255) for frame in frames]
    lit = (frames[2] > 0) & (frames[2] < 255)  # neither object nor saturated
    shares = [srgb_to_linear(torch.tensor(grey / 255)) for grey in (60, 120, 240)]
    assert lit.float().mean() > 0.2
    for one, share in zip(linear, shares, strict=True):
        expected = linear[2][lit] * share / shares[2]
        assert torch.allclose(one[lit], expected, atol=0.01)


def srgb_to_linear(value):
    """IEC 61966-2-1's decoding."""
    return torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
