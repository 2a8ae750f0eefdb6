import numpy as np
import pytest
import torch

from envs.counting import spelt
from envs.errors import SettingError
from envs.images.pictures import load_pictures
from envs.scene.categories import CATEGORIES
from runs.config.composing import read
from runs.evaluation.transfer import KNOWN, load, load_all
from runs.evaluation.world_tasks import of_settings, world_task
from runs.launch.validate import check
from streams.record import record
from tests.helpers.meshes import folder_of

CPU = torch.device("cpu")


def settings_of(*overrides):
    return read(["env.size=16", "eval.train=60", "eval.validation=20", "eval.test=30", *overrides])


def one(name, *overrides):
    return load(name, settings_of(*overrides), device=CPU)


def pictures(count, *, classes=3, size=16, seed=0):
    draws = np.random.default_rng(seed)
    images = draws.integers(256, size=(count, size, size, 3), dtype=np.uint8)
    return {"images": images, "labels": 5 + np.arange(count) % classes}


def idx(array):
    """The bytes of an array in the format of MNIST's files."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.astype(np.uint8).tobytes()


def test_digits_come_in_three_parts_that_share_no_image():
    task = one("digits", "env.size=24")
    parts = [task.train, task.validation, task.test]
    assert [len(part.labels) for part in parts] == [500, 297, 1000]
    assert all(part.images.shape[1:] == (3, 24, 24) and part.images.dtype == torch.uint8 for part in parts)
    assert all(part.labels.bincount(minlength=10).min() > 8 for part in parts)
    assert all(torch.equal(part.images[:, 0], part.images[:, 2]) for part in parts)


@pytest.mark.parametrize("name", ["digits", "unseen_categories", "moving_objects_dark"])
def test_a_set_is_the_same_every_time(name):
    first, again = one(name), one(name)
    assert torch.equal(first.test.images, again.test.images)


def test_an_unknown_set_is_named_with_the_near_miss():
    with pytest.raises(SettingError, match="eval.transfer=digit is unknown; did you mean digits"):
        check(settings_of("eval.transfer=[digit]"))


def test_unseen_categories_are_those_that_training_never_shows():
    task = one("unseen_categories", "env.categories=20")
    assert task.classes == 4
    assert set(task.train.labels.tolist()) == {0, 1, 2, 3}
    assert set(task.train.factors["category"].tolist()) == {20, 21, 22, 23}
    assert 7 < len(task.train.labels) < 30  # a quarter of the 60 of the own task, about
    with pytest.raises(SettingError, match="env.categories=24"):
        one("unseen_categories", "env.categories=24")
    with pytest.raises(SettingError, match="env=moving_objects"):
        one("unseen_categories", "env=counting")


def test_the_dark_world_shows_the_same_instances_in_an_eighth_of_the_light():
    dark = one("moving_objects_dark", "env.moving=[]", "env.episode_length=100000")
    day = one("moving_objects_dark", "env.moving=[]", "env.episode_length=100000", "env.drift=categories")
    assert torch.equal(dark.test.images, day.test.images)  # whatever drifts in training
    bright = by_day("env.moving=[]", "env.episode_length=100000")
    assert torch.equal(dark.test.labels, bright.test.labels)
    light = bright.test.factors["light_intensity"] - dark.test.factors["light_intensity"]
    assert torch.allclose(light, torch.tensor(3.0))
    assert dark.test.images.float().mean() < 0.6 * bright.test.images.float().mean()
    with pytest.raises(SettingError, match="needs a world with a light"):
        one("moving_objects_dark", "env=counting")


def by_day(*overrides):
    return world_task(**of_settings(settings_of(*overrides)), device=CPU)


def test_grey_pictures_of_another_size_are_converted_and_it_is_said(tmp_path):
    raw, draws = tmp_path / "FashionMNIST" / "raw", np.random.default_rng(0)
    raw.mkdir(parents=True)
    for part, count in (("train", 100), ("t10k", 50)):
        images = draws.integers(256, size=(count, 28, 28))
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    tasks, notes = load_all(settings_of("eval.transfer=[fashion_mnist]", f"eval.data_root={tmp_path}"), CPU)
    assert notes == ["fashion_mnist: 28x28 resized to 16x16; grey, shown in three equal channels"]
    task = tasks["fashion_mnist"]
    assert [len(part.labels) for part in task[1:4]] == [60, 10, 30]
    assert task.test.images.shape == (30, 3, 16, 16)
    assert task.classes == 10


def test_arrays_are_split_by_us_or_come_in_two_files(tmp_path):
    np.savez(tmp_path / "mine.npz", **pictures(100))
    task = one(f"{tmp_path}/mine.npz")
    assert [len(part.labels) for part in task[1:4]] == [60, 10, 20]
    assert task.classes == 3
    pixels = [{image.numpy().tobytes() for image in part.images} for part in task[1:4]]
    assert not pixels[0] & pixels[1]
    assert not (pixels[0] | pixels[1]) & pixels[2]
    np.savez(tmp_path / "mine_train.npz", **pictures(100, seed=1))
    np.savez(tmp_path / "mine_test.npz", **pictures(20, seed=2))
    tasks, notes = load_all(settings_of(f"eval.transfer=[{tmp_path}/mine_train.npz]"), CPU)
    assert not notes
    expected = torch.from_numpy(pictures(20, seed=2)["images"]).permute(0, 3, 1, 2)
    assert torch.equal(tasks["mine_train"].test.images, expected)


def test_a_named_set_may_lie_in_the_root_as_arrays(tmp_path):
    np.savez(tmp_path / "cifar10_train.npz", **pictures(100, classes=10))
    np.savez(tmp_path / "cifar10_test.npz", **pictures(40, classes=10, seed=1))
    task = one("cifar10", f"eval.data_root={tmp_path}")
    assert [len(part.labels) for part in task[1:4]] == [60, 10, 30]


def test_a_turntable_is_split_by_its_views(tmp_path):
    images = np.zeros((3 * 72, 8, 8, 3), np.uint8)
    images[..., 0], images[..., 1] = np.arange(3 * 72)[:, None, None] % 72, 9  # the view
    np.savez(tmp_path / "coil100.npz", images=images, labels=np.repeat([1, 2, 3], 72))
    task = one("coil100", f"eval.data_root={tmp_path}", "env.size=16", "eval.test=999", "eval.validation=99")
    views = [set(part.images[:, 0, 0, 0].tolist()) for part in task[1:4]]
    assert views == [set(range(0, 72, 4)), set(range(2, 72, 4)), set(range(1, 72, 2))]


@pytest.fixture
def walk(tmp_path):
    overrides = ["env=counting", "env.size=16", "env.num_worlds=4", "env.episode_length=3", "device=cpu"]
    assert record([*overrides, f"record.path={tmp_path}/walk.zarr", "record.frames=120"]) == 0
    return tmp_path / "walk.zarr"


def test_no_encounter_of_a_recording_is_in_training_and_in_test(walk):
    met = []
    for part in one(str(walk))[1:4]:
        seeds, episodes, _ = spelt(part.images.permute(0, 2, 3, 1).numpy())
        met.append(set(zip(seeds.tolist(), episodes.tolist(), strict=True)))
    assert all(met)
    assert not (met[0] | met[1]) & met[2]


def test_a_damaged_recording_is_named_and_never_scored_on(walk):
    next(file for file in (walk / "images" / "c").rglob("*") if file.is_file()).unlink()
    with pytest.raises(SettingError, match="walk.zarr/images/c/.* is damaged"):
        one(str(walk))


def test_a_recording_may_lie_at_an_address(walk):
    override = f"eval.transfer=[file://{walk}]"
    check(settings_of(override))
    tasks, _ = load_all(settings_of(override), CPU)
    assert torch.equal(tasks["walk"].test.images, one(str(walk)).test.images)
    with pytest.raises(SettingError, match=r"eval.transfer=file:///nowhere/walk.zarr .*") as caught:
        one("file:///nowhere/walk.zarr")
    assert "\n" not in str(caught.value)


def test_a_recording_is_no_set_of_pictures(walk):
    with pytest.raises(SettingError, match="is a recorded stream"):
        load_pictures(str(walk), setting="env.path")


@pytest.mark.parametrize(
    ("hurt", "message"),
    [
        ({"labels": np.zeros(100, int)}, "no labels, or one class only"),
        ({"labels": None}, "no labels, or one class only"),
        ({"images": np.zeros((100, 7), np.uint8)}, "no pictures"),
        ({"images": np.zeros((100, 16, 16, 3))}, "float64"),
        ({"labels": np.arange(9)}, "9 labels"),
    ],
)
def test_what_is_no_set_of_labelled_pictures_is_told_in_one_line(tmp_path, hurt, message):
    arrays = {name: of for name, of in (pictures(100) | hurt).items() if of is not None}
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(SettingError, match=message) as caught:
        one(f"{tmp_path}/mine.npz")
    assert "eval.transfer" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_set_that_is_not_there_is_an_error_by_name_and_left_out_of_all(tmp_path):
    with pytest.raises(SettingError, match="holds no CIFAR10 .* or set eval.download=true") as caught:
        one("cifar10", f"eval.data_root={tmp_path}")
    assert "download=True" not in str(caught.value)
    with pytest.raises(SettingError, match="is looked for in eval.data_root"):
        check(settings_of("eval.transfer=[cifar10]"))
    with pytest.raises(SettingError, match="nowhere.npz] isn't there"):
        check(settings_of("eval.transfer=[nowhere.npz]"))
    tasks, notes = load_all(settings_of("eval.transfer=[all]", f"eval.data_root={tmp_path}"), CPU)
    assert list(tasks) == ["digits", "unseen_categories", "moving_objects_dark"]
    assert [note.split()[0] for note in notes] == list(KNOWN[3:])
    assert all("is left out: " in note for note in notes)


def test_solids_and_meshes_are_scored_in_each_others_runs(tmp_path):
    folder = folder_of(tmp_path / "meshes")
    given = (f"eval.meshes={folder}", "eval.meshes_exclude=[rod]", "env.background=plain", "env.second_light=true")
    meshes = one("moving_meshes", *given)
    assert (meshes.classes, list(meshes.names)) == (2, ["ball", "box"])
    assert not meshes.test.factors["background"].any()  # the room is that of the run's own world
    of_images = one("moving_meshes", "env=moving_images", *given[:2])
    assert of_images.train.images.shape == (60, 3, 16, 16)
    solids = one("moving_objects", "env=moving_meshes", f"env.path={folder}", "env.categories=3")
    assert solids.classes == 12
    assert set(solids.names) == set(list(CATEGORIES)[:12])


def test_other_worlds_that_cannot_be_shown_are_one_line(tmp_path):
    with pytest.raises(SettingError, match=r"moving_meshes\] needs eval.meshes=FOLDER"):
        one("moving_meshes")
    with pytest.raises(SettingError, match=f"eval.meshes={tmp_path}/no"):
        one("moving_meshes", f"eval.meshes={tmp_path}/no")
    with pytest.raises(SettingError, match="is the run's own world"):
        one("moving_objects")


def test_two_sets_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "mine.npz", **pictures(20))
    with pytest.raises(SettingError, match="names mine twice"):
        check(settings_of(f"eval.transfer=[{tmp_path}/a/mine.npz,{tmp_path}/b/mine.npz]"))


def test_labels_with_gaps_are_the_classes_that_occur(tmp_path):
    arrays = pictures(100)
    np.savez(tmp_path / "mine.npz", **arrays)
    np.savez(tmp_path / "gaps.npz", images=arrays["images"], labels=20_000 * arrays["labels"])
    plain, gaps = one(f"{tmp_path}/mine.npz"), one(f"{tmp_path}/gaps.npz")
    assert gaps.classes == plain.classes == 3
    assert all(torch.equal(a.labels, b.labels) for a, b in zip(plain[1:4], gaps[1:4], strict=True))
    assert list(gaps.kinds) == [100_000, 120_000, 140_000]
    images = np.zeros((3 * 8, 8, 8, 3), np.uint8)
    images[..., 0] = np.arange(3 * 8)[:, None, None] % 8  # the view
    np.savez(tmp_path / "coil100.npz", images=images, labels=np.repeat([20_000, 40_000, 10**9], 8))
    task = one("coil100", f"eval.data_root={tmp_path}")
    views = [set(part.images[:, 0, 0, 0].tolist()) for part in task[1:4]]
    assert views == [{0, 4}, {2, 6}, {1, 3, 5, 7}]


def test_a_world_of_pictures_has_the_classes_that_occur(tmp_path):
    arrays = pictures(200)
    tasks = []
    for name, factor in (("plain", 1), ("gaps", 20_000)):
        np.savez(tmp_path / f"{name}.npz", images=arrays["images"], labels=factor * arrays["labels"])
        drifts = ["env.drift=categories", "env.phases=3"]
        settings = settings_of("env=moving_images", f"env.path={tmp_path}/{name}.npz", *drifts)
        tasks.append(world_task(**of_settings(settings), device=CPU))
    plain, gaps = tasks
    assert plain.classes == gaps.classes == 3
    for part, other in zip(plain[1:4], gaps[1:4], strict=True):
        assert torch.equal(part.labels, other.labels)
        assert torch.equal(part.images, other.images)
        assert torch.equal(20_000 * part.factors["category"], other.factors["category"])
    assert list(gaps.kinds) == [100_000, 120_000, 140_000]
