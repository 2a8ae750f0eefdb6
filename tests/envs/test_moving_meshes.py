"""MovingMeshes-v0: the world of solids, with meshes of one's own."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from envs.contract import check_world
from envs.errors import SettingError
from envs.meshes.cast import Meshes
from envs.meshes.library import load
from envs.moving_meshes import MovingMeshesSettings, MovingMeshesVector
from envs.scene.random import Draws, key
from envs.scene.settings import NUISANCES
from tests.helpers.meshes import ball, box, folder_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("envs.meshes.cache.folder", lambda: where)
        yield str(folder_of(tmp_path_factory.mktemp("made") / "meshes"))


@pytest.fixture
def make(folder):
    return lambda count=4, **settings: MovingMeshesVector(count, **{"path": folder, "size": 24} | settings)


def test_it_is_a_world_by_gymnasiums_names_and_the_projects_contract(folder):
    check_world(gym.make_vec("MovingMeshes-v0", num_envs=3, path=folder))
    single = gym.make("MovingMeshes-v0", path=folder, size=16, render_mode="rgb_array")
    image, info = single.reset(seed=1)
    assert image.shape == (16, 16, 3)
    assert info["category"] in (0, 1, 2)
    assert (single.render() == image).all()
    assert single.unwrapped.ground_truth().mask.shape == (16, 16)


def test_names_categories_and_instances_are_the_folders(make):
    world = make(64, split="all")
    _, info = world.reset(seed=0)
    assert (world.categories, world.category_names) == (3, ["ball", "box", "rod"])
    assert ((info["instance"] // 5) == info["category"]).all()


def test_no_instance_is_in_two_splits(make):
    shown = []
    for split in ("train", "validation", "test"):
        world = make(64, split=split)
        shown.append(set(world.reset(seed=0)[1]["instance"].tolist()))
    assert not shown[0] & shown[1]
    assert not shown[0] & shown[2]
    assert not shown[1] & shown[2]
    assert len(make(64, instances=1).reset(seed=0)[1]["instance"].unique()) == 3


def test_a_world_does_not_depend_on_how_many_there_are_or_on_what_was_shown_before(make):
    many, one = make(5, occluder=True), make(1, occluder=True)
    many.reset(seed=0)
    one.reset(seed=3)
    for _ in range(60):
        images, alone = many.step(torch.zeros(5, 2))[0], one.step(torch.zeros(1, 2))[0]
    assert (images[3] == alone[0]).all()
    again = make(5, occluder=True)
    again.load_state_dict(many.state_dict())
    assert (again.step(torch.zeros(5, 2))[0] == many.step(torch.zeros(5, 2))[0]).all()


def test_what_stands_still_is_still_to_the_bit(make):
    world = make(moving=(), drift="none")
    first, _ = world.reset(seed=0)
    for _ in range(5):
        assert (world.step(torch.zeros(4, 2))[0] == first).all()


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_a_nuisance_that_moves_alone_leaves_the_others_where_they_are(make, nuisance):
    world = make(moving=(nuisance,), episode_length=20)
    first, before = world.reset(seed=0)
    masks = world.ground_truth().mask
    for _ in range(6):
        image, *_, after = world.step(torch.zeros(4, 2))
    assert (image != first).any()
    by_name = {"translation": "bearing", "rotation": "orientation", "scale": "distance"}
    for name, factor in (by_name | {n: n for n in NUISANCES if n.startswith("light")}).items():
        assert (before[factor] == after[factor]).all() == (name != nuisance), name
    if nuisance not in by_name:
        assert (world.ground_truth().mask == masks).all()


@pytest.mark.parametrize("recolor", ["palette", "hue", "none"])
def test_recolouring_is_by_episode_and_none_shows_the_file(make, recolor):
    world = make(6, recolor=recolor, split="all")
    world.reset(seed=0)
    grey = torch.eye(3).expand_as(world.scene.tint)
    assert torch.equal(world.scene.tint, grey) == (recolor == "none")


def test_a_palette_brings_the_mean_to_any_colour_whatever_it_was():
    meshes = [ball(8), box()]
    meshes[0].mean, meshes[1].mean = np.array([0.5, 0.02, 0.02]), np.array([0.3, 0.3, 0.3])
    cast = Meshes(meshes, [np.array([0]), np.array([1])], recolor="palette", size_jitter=0.1)
    draws, ones = Draws(key("x", np.arange(500))), np.ones(500, np.int64)
    made = [cast.build(draws, "object", kind * ones, kind * ones) for kind in (0, 1)]
    shown = [(one["tint"] @ mesh.mean[:, None])[..., 0] for one, mesh in zip(made, meshes, strict=True)]
    assert np.abs(shown[0] - shown[1]).max() < 1e-6
    assert shown[0].std() > 0.2
    assert (np.abs(np.log(made[0]["inverse"][:, 0, 0, 0])) <= 0.1).all()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"split": "trian"}, "did you mean train"),
        ({"up": "w"}, "env.up=w is unknown"),
        ({"recolor": "grey"}, "env.recolor=grey is unknown"),
        ({"held_out": 0.5}, "leaves nothing to train on"),
        ({"max_triangles": 0}, "env.max_triangles=0 is out of range"),
        ({"size": 2}, "env.size=2 is out of range"),
    ],
)
def test_a_setting_that_can_not_work_is_one_line(settings, line):
    with pytest.raises(SettingError, match=line):
        MovingMeshesSettings(path="x", **settings)


def test_what_the_folder_can_not_give_is_one_line(make):
    with pytest.raises(SettingError, match="env.categories=4, and .* has 3 sub-folders"):
        make(categories=4)
    with pytest.raises(SettingError, match="env.phases=4 cannot share out 3 categories"):
        make(drift="categories", phases=4)
    assert load.cache_info().currsize
