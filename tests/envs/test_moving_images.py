import gymnasium as gym
import h5py
import numpy as np
import pytest
import torch
import zarr
from gymnasium.utils.env_checker import check_env
from kornia.enhance import adjust_hue, adjust_saturation
from kornia.geometry.transform import homography_warp
from PIL import Image

from envs.errors import SettingError
from envs.images.pictures import load_pictures
from envs.moving_images import NUISANCES, PAPER, illuminate, recolor

FACTORS = {
    "translation": "position",
    "deformation": "deformation",
    "perspective": "perspective",
    "saturation": "saturation",
    "hue": "hue",
    "brightness": "brightness",
    "gradient": "gradient",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Forty smooth colourful pictures of four labels."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((40, 3, 5, 5)))
    images = torch.nn.functional.interpolate(coarse, (32, 32), mode="bicubic").clamp(0, 1)
    where = tmp_path_factory.mktemp("pictures") / "all.npz"
    np.savez(where, images=(255 * images).byte().permute(0, 2, 3, 1).numpy(), labels=np.arange(40) % 4)
    return str(where)


def worlds(count, path, **settings):
    return gym.make_vec(
        "MovingImages-v0", num_envs=count, path=path, **{"split": "all", "episode_length": 6} | settings
    )


def film(world, steps):
    frames = [world.reset(seed=0)]
    for _ in range(steps - 1):
        image, *_, info = world.step(np.zeros((world.num_envs, 2), np.float32))
        frames.append((image, info))
    return torch.stack([image for image, _ in frames]), [info for _, info in frames]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_single_world_passes_gymnasiums_check(path):
    check_env(gym.make("MovingImages-v0", path=path, episode_length=6).unwrapped)


def test_world_i_of_n_shows_the_same_frames_whatever_n_is(path):
    many, _ = film(worlds(5, path, stagger=True), 14)
    few, _ = film(worlds(2, path, stagger=True), 14)
    assert torch.equal(many[:, :2], few)


def test_without_nuisances_a_picture_is_itself(path):
    frames, infos = film(worlds(8, path, nuisances=[]), 8)
    originals = np.load(path)["images"]
    for frame, info in zip(frames, infos, strict=True):
        assert np.array_equal(frame.numpy(), originals[info["instance"].numpy()])
        assert (info["category"] == info["instance"] % 4).all()


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_a_frozen_nuisance_is_still_and_the_others_do_not_notice(path, nuisance):
    _, free = film(worlds(3, path), 6)
    _, held = film(worlds(3, path, moving=[name for name in NUISANCES if name != nuisance]), 6)
    for name, factor in FACTORS.items():
        if name == nuisance:
            assert all(torch.equal(info[factor], held[0][factor]) for info in held)
            assert not torch.equal(free[0][factor], free[1][factor])
        else:
            assert all(torch.equal(a[factor], b[factor]) for a, b in zip(free, held, strict=True))


def test_with_everything_frozen_the_pixels_are_still(path):
    frames, _ = film(worlds(3, path, moving=[]), 6)
    assert all(torch.equal(frame, frames[0]) for frame in frames)


def augmented(images):
    """The paper's view of images (B, 3, H, W), by Kornia's own operations: affine, saturation and hue."""
    count = len(images)
    matrix = torch.eye(3).repeat(count, 1, 1)
    matrix[:, :2] += (torch.rand(count, 2, 3) - 0.5) * torch.tensor([0.5, 0.5, 1.0])
    warped = homography_warp(images, matrix, images.shape[2:], padding_mode="border")
    saturated = adjust_saturation(warped, torch.exp2(4 * torch.rand(count) - 2))
    return adjust_hue(saturated, 2 * torch.pi * (0.2 * torch.rand(count) - 0.1))


def test_at_full_speed_neighbours_differ_as_two_augmentations_do_and_at_low_speed_hardly(path):
    frames, infos = film(worlds(1000, path, speed=1.0, nuisances=PAPER), 2)
    originals = torch.from_numpy(np.load(path)["images"])[infos[0]["instance"]].permute(0, 3, 1, 2) / 255
    torch.manual_seed(0)
    two = (augmented(originals) - augmented(originals)).abs().mean()
    neighbours = (frames[0].float() - frames[1].float()).abs().mean() / 255
    assert neighbours == pytest.approx(two.item(), rel=0.15)
    slow, _ = film(worlds(1000, path, speed=0.005, nuisances=PAPER), 2)
    assert (slow[0].float() - slow[1].float()).abs().mean() / 255 < 0.1 * two


def test_at_full_speed_neighbouring_parameters_are_independent_and_uniform(path):
    _, infos = film(worlds(4000, path, speed=1.0), 2)
    before, after = (info["hue"].numpy() / 0.1 for info in infos)
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.05
    assert abs(np.corrcoef(before**2, after**2)[0, 1]) < 0.05
    assert np.quantile(after, [0.1, 0.5, 0.9]) == pytest.approx([-0.8, 0, 0.8], abs=0.08)


def test_splits_share_no_picture_and_miss_none(path):
    met = [
        {int(n) for info in film(worlds(64, path, split=split), 20)[1] for n in info["instance"]}
        for split in ("train", "validation", "test")
    ]
    assert sum(map(len, met)) == 40
    assert set.union(*met) == set(range(40))


def test_categories_can_come_in_blocks(path):
    world = worlds(32, path, drift="categories", phases=2, phase_length=12)
    _, infos = film(world, 30)
    for info in infos:
        assert (info["category"] // 2 == info["phase"]).all()
    assert [int(infos[t]["phase"][0]) for t in (0, 11, 12, 24)] == [0, 0, 1, 0]


def test_blocks_are_of_the_pictures_that_there_are(tmp_path):
    labels = np.array([0, 3, 3, 3, 7, 7])  # no other label between 0 and 7 has a picture
    np.savez(tmp_path / "few.npz", images=np.zeros((6, 8, 8, 3), np.uint8), labels=labels)
    world = worlds(40, str(tmp_path / "few.npz"), drift="categories", phases=2, phase_length=12, size=8)
    _, infos = film(world, 24)
    for info in infos:
        assert ((info["category"] > 0) == info["phase"]).all()  # three labels occur: one of them, and two
    assert (infos[-1]["category"] == 3).float().mean() == pytest.approx(3 / 5, abs=0.2)  # any picture is as likely
    with pytest.raises(SettingError, match="env.phases=4 cannot share out 3 categories; try 3"):
        worlds(2, str(tmp_path / "few.npz"), drift="categories", phases=4)
    with pytest.raises(SettingError, match="env.phases=3 leaves phase . .labels (0 to 0|3 to 3|7 to 7). without a"):
        worlds(2, str(tmp_path / "few.npz"), drift="categories", phases=3, pictures=2)


def test_colours_turn_about_grey():
    images = torch.rand(5, 3, 4, 4) * 0.2 + 0.4
    same = recolor(images.clone(), torch.zeros(5), torch.zeros(5))
    assert torch.allclose(same, images, atol=1e-6)
    third = recolor(images.clone(), torch.zeros(5), torch.full((5,), 1 / 3))  # red becomes green, green becomes blue
    assert torch.allclose(third, images.roll(1, 1), atol=1e-6)
    grey = recolor(images.clone(), torch.full((5,), -30.0), torch.zeros(5))
    assert torch.allclose(grey, images.mean(1, keepdim=True).expand_as(grey), atol=1e-6)


def test_light_grows_towards_its_gradient():
    image = torch.full((1, 3, 3, 3), 0.25)
    lit = illuminate(image, torch.ones(1), torch.tensor([[0.4, 0.2]]))[0, 0]
    expected = 0.5 * torch.tensor([[0.8, 1.2, 1.6], [0.6, 1.0, 1.4], [0.4, 0.8, 1.2]])
    assert torch.allclose(lit, expected, atol=1e-6)


def test_a_gaze_at_the_bearing_brings_the_picture_back(path):
    world = worlds(4, path, nuisances=["translation"], moving=[])
    _, info = world.reset(seed=2)
    image, *_, info = world.step((info["bearing"] / 0.5).clamp(-1, 1))
    originals = np.load(path)["images"][info["instance"].numpy()]
    assert np.abs(image.numpy()[:, 4:-4, 4:-4].astype(int) - originals[:, 4:-4, 4:-4]).max() <= 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [("speed", -1), ("speed", 1.5), ("moving", ["light"]), ("split", "trial"), ("size", 1), ("path", "/no/such")],
)
def test_a_setting_out_of_range_is_named(path, setting, value):
    with pytest.raises(SettingError, match=f"env.{setting}"):
        gym.make_vec("MovingImages-v0", num_envs=2, **{"path": path, setting: value})


def stored(tmp_path, kind):
    """The same twelve pictures of two classes, as a folder, an array, a Zarr or HDF5."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), np.uint8)
    where = tmp_path / f"pictures.{kind}"
    if kind == "folder":
        for number, image in enumerate(pixels):
            (where / str(number % 2)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(where / str(number % 2) / f"{number}.png")
    elif kind == "npy":
        np.save(where, pixels)
    elif kind == "zarr":
        zarr.create_array(where, data=pixels)
    else:
        with h5py.File(where, "w") as file:
            file["images"] = pixels
    return str(where)


@pytest.mark.parametrize("kind", ["folder", "npy", "zarr", "h5"])
def test_pictures_that_do_not_fit_into_memory_are_shown_alike(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path, frames = stored(tmp_path, kind), {}
    for memory_mb in (4096, 0):
        settings = {"path": path, "split": "all", "episode_length": 3, "memory_mb": memory_mb}
        world = gym.make_vec("MovingImages-v0", num_envs=5, **settings)
        assert isinstance(load_pictures(path, memory_mb=memory_mb).images, np.memmap) == (memory_mb == 0)
        steps = [world.reset(seed=0)[0], *(world.step(np.zeros((5, 2)))[0] for _ in range(7))]
        frames[memory_mb] = torch.stack(steps)
    assert torch.equal(frames[4096], frames[0])
    left = [*(tmp_path / "cache" / "contiguity").rglob("*")] if kind != "npy" else []
    assert not [entry for entry in left if entry.is_file()]


def test_a_cache_that_cannot_hold_them_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SettingError, match="XDG_CACHE_HOME to another folder, or a larger env.memory_mb"):
        gym.make_vec("MovingImages-v0", num_envs=2, path=stored(tmp_path, "folder"), split="all", memory_mb=0)
