import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from envs import gallery
from envs.scene.categories import CATEGORIES
from tests.helpers.meshes import folder_of


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def pictures(tmp_path):
    """A file of 60 pictures, 20 of each of three labels."""
    images = np.random.default_rng(0).integers(0, 255, (60, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "pictures.npz", images=images, labels=np.arange(60) % 3)
    return str(tmp_path / "pictures.npz")


def test_every_category_has_a_row_of_its_own(tmp_path):
    sheet, strips, film = gallery.write_gallery(tmp_path, instances=3, count=2, size=16, samples=1, episode_length=24)
    assert read(strips).shape == (2 * 32, 12 * 32, 3)
    margin, rows = read(sheet)[:, : -3 * 32], read(sheet)[:, -3 * 32 :]
    rows = rows.reshape(len(CATEGORIES), 32, 3, 32, 3)
    assert (rows.std((1, 3)) > 0).all()
    names = [row.tobytes() for row in np.split(margin, len(CATEGORIES))]
    assert len(set(names)) == len(CATEGORIES)
    assert margin.min() < 128
    assert (margin[:, [0, -1]] == 255).all()  # no name touches an edge
    with Image.open(film) as moving:
        assert moving.n_frames == 24


def test_moving_pictures_have_one_too_and_a_gap_where_there_are_too_few(tmp_path, pictures):
    settings = {"world": "moving_images", "path": pictures, "size": 16, "episode_length": 4, "split": "all"}
    sheet = gallery.write_gallery(tmp_path, instances=2, count=2, **settings)[0]
    page = read(sheet)
    assert len(page) == 3 * 32
    assert len({row.tobytes() for row in np.split(page[:, : -2 * 32], 3)}) == 3  # of labels 0, 1 and 2


def test_meshes_of_ones_own_have_one_with_each_object_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("envs.meshes.cache.folder", lambda: tmp_path / "cache")
    folder = folder_of(tmp_path / "meshes")
    given = ["env=moving_meshes", f"env.path={folder}", "env.size=16", "env.episode_length=4", "env.samples=1"]
    monkeypatch.setattr("sys.argv", ["gallery", *given, "--out", str(tmp_path / "out"), "--instances", "6"])
    gallery.main()
    assert "sheet.png" in capsys.readouterr().out
    page = read(tmp_path / "out" / "sheet.png")[:, -6 * 32 :]
    assert len(page) == 3 * 32
    assert (page[:, 5 * 32 :] == 255).all()  # of five objects a category
    assert page[:, : 5 * 32].std() > 0


@pytest.mark.parametrize("env", ["examples.bouncing_square:bouncing_square", "counting"])
def test_any_world_that_a_run_takes_has_a_gallery(tmp_path, monkeypatch, capsys, env):
    given = [f"env={env}", "env.size=16", "env.episode_length=4", "--instances", "2"]
    monkeypatch.setattr("sys.argv", ["gallery", *given, "--out", str(tmp_path / "out")])
    gallery.main()
    assert "sheet.png" in capsys.readouterr().out
    assert read(tmp_path / "out" / "sheet.png").std() > 0
    monkeypatch.setattr("sys.argv", ["gallery", *given, "--gaze", "pursuit", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        gallery.main()
    assert "--gaze pursuit needs a world that says where its object is" in capsys.readouterr().err


def test_the_eye_of_the_strips_may_follow(tmp_path):
    still, followed = (gallery.episodes(2, gaze=gaze, size=16, episode_length=9) for gaze in ("fixed", "pursuit"))
    assert np.array_equal(still[:, 0], followed[:, 0])
    assert not np.array_equal(still[:, 8], followed[:, 8])


@pytest.mark.parametrize(
    "wrong", ["--set colour=3", "--set size=big", "--set size", "--instances 0", "env=moving_thing", "colour=3"]
)
def test_a_setting_that_is_none_is_one_line(tmp_path, monkeypatch, capsys, wrong):
    monkeypatch.setattr("sys.argv", ["gallery", "--out", str(tmp_path / "out"), *wrong.split()])
    with pytest.raises(SystemExit) as left:
        gallery.main()
    assert left.value.code == 2
    line = capsys.readouterr().err
    assert wrong in line
    assert line.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_where_the_folder_should_be_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").touch()
    monkeypatch.setattr("sys.argv", ["gallery", "--out", str(tmp_path / "taken")])
    with pytest.raises(SystemExit) as left:
        gallery.main()
    assert left.value.code == 2
    assert re.fullmatch("--out .*taken cannot be written into .*; choose another folder\n", capsys.readouterr().err)


def test_what_a_user_should_know_of_a_file_is_one_line_without_code(tmp_path):
    where = folder_of(tmp_path / "m")
    (where / "ball" / "bad.ply").write_bytes(b"ply\n")
    command = [sys.executable, "-m", "envs.gallery", "env=moving_meshes", f"env.path={where}", "env.skip_broken=true"]
    done = subprocess.run(
        [*command, "--instances", "1", "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr.startswith(f"env.path={where}: ")
    assert done.stderr.count("\n") == 1
