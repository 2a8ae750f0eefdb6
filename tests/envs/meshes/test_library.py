"""A folder becomes a library: categories, splits, what is broken, what is kept."""

import numpy as np
import pytest
import trimesh

from envs.errors import SettingError
from envs.meshes import library, reading
from envs.meshes.library import Reading, load
from envs.meshes.splits import members
from tests.helpers.meshes import folder_of

PLAIN = Reading("auto", 1 << 20, 10_000, skip_broken=False)
GOING_ON = PLAIN._replace(skip_broken=True)


@pytest.fixture(autouse=True)
def fresh():
    load.cache_clear()


def splits(found, **more):
    options = {"held_out": 0.2, "split_list": ""} | more
    return [members(found, split=split, **options) for split in ("train", "validation", "test")]


def test_sub_folders_are_categories_and_their_files_objects(tmp_path):
    found = load(str(folder_of(tmp_path / "m")), (), PLAIN)
    assert found.categories == ["ball", "box", "rod"]
    assert found.category.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert found.files[:2] == ["ball/0.glb", "ball/1.ply"]
    assert load(str(tmp_path / "m"), ("box",), PLAIN).categories == ["ball", "rod"]


def test_files_of_a_deeper_folder_are_of_the_category_above(tmp_path):
    where = folder_of(tmp_path / "m")
    (where / "ball" / "more").mkdir()
    (where / "box" / "1.ply").rename(where / "ball" / "more" / "2.ply")
    assert load(str(where), (), PLAIN).category.tolist().count(0) == 6


def test_z_is_up_in_stl_and_y_in_all_others(tmp_path):
    where = tmp_path / "m" / "rods"
    where.mkdir(parents=True)
    rod = trimesh.creation.cylinder(radius=0.3, height=3)  # along z
    rod.export(where / "a.stl")
    rod.export(where / "b.ply")
    high, deep = (np.ptp(mesh.corners.reshape(-1, 3), axis=0) for mesh in load(str(tmp_path / "m"), (), PLAIN).meshes)
    assert high.argmax() == 1
    assert deep.argmax() == 2
    told = load(str(tmp_path / "m"), (), PLAIN._replace(up="z"))
    assert [np.ptp(mesh.corners.reshape(-1, 3), axis=0).argmax() for mesh in told.meshes] == [1, 1]


def test_splits_are_disjoint_cover_all_and_do_not_depend_on_other_files(tmp_path):
    where = folder_of(tmp_path / "m", files=10)
    found = load(str(where), (), PLAIN)
    groups = splits(found)
    assert [[len(group) for group in split] for split in groups] == [[6] * 3, [2] * 3, [2] * 3]
    assert sorted(np.concatenate([number for split in groups for number in split])) == list(range(30))
    held = {found.files[number] for number in groups[2][0]}
    (where / "box" / "0.glb").unlink()
    load.cache_clear()
    fewer = load(str(where), (), PLAIN)
    assert {fewer.files[number] for number in splits(fewer)[2][0]} == held


def test_a_list_says_the_splits(tmp_path):
    found = load(str(folder_of(tmp_path / "m", files=3)), (), PLAIN)
    kinds = ("test", "train", "validation")
    lines = [f"{file},{kinds[number % 3]}" for number, file in enumerate(found.files)]
    (tmp_path / "list.csv").write_text("file,split\n" + "\n".join(lines) + "\n")
    groups = splits(found, split_list=str(tmp_path / "list.csv"))
    assert [number.tolist() for number in groups[2]] == [[0], [3], [6]]
    for line, message in (("ball/9.glb,train", "unknown; "), ("ball/0.glb,tset", "did you mean test")):
        (tmp_path / "list.csv").write_text(line)
        with pytest.raises(SettingError, match=message):
            splits(found, split_list=str(tmp_path / "list.csv"))


def test_a_category_with_too_few_objects_for_its_splits_is_named(tmp_path):
    found = load(str(folder_of(tmp_path / "m", files=2)), (), PLAIN)
    with pytest.raises(SettingError, match="env.split=train has no object of category ball; add some"):
        splits(found)
    assert [len(group) for group in members(found, split="all", held_out=0.2, split_list="")] == [2] * 3


def test_a_broken_file_is_named_or_passed_over(tmp_path):
    where = folder_of(tmp_path / "m")
    (where / "ball" / "bad.ply").write_bytes(b"ply\n")
    (where / "box" / "worse.stl").write_bytes(b"")
    with pytest.raises(SettingError, match=r"env.path=.*: ball/bad.ply can't be read .*\(and 1 other file\)") as caught:
        load(str(where), (), PLAIN)
    assert "env.skip_broken=true" in str(caught.value)
    with pytest.warns(UserWarning, match="passed over: ball/bad.ply"):
        found = load(str(where), (), GOING_ON)
    assert len(found.files) == 15
    with pytest.raises(SettingError, match="over env.max_mb=0.000954; set that higher"):
        load(str(where), (), PLAIN._replace(limit=1000))


@pytest.mark.parametrize(
    ("given", "line"), [("", "is not given"), ("{}/gone", "is no folder"), ("{}", "no sub-folder")]
)
def test_a_path_without_meshes_is_one_line(tmp_path, given, line):
    with pytest.raises(SettingError, match=line):
        load(given.format(tmp_path), (), PLAIN)


def test_the_second_start_reads_what_the_first_one_kept(tmp_path, cache, monkeypatch):
    where = folder_of(tmp_path / "m")
    before = {path: path.stat().st_mtime_ns for path in where.rglob("*")}
    first = load(str(where), (), PLAIN)
    load.cache_clear()
    monkeypatch.setattr(library, "read", None)  # which would be called to convert
    second = load(str(where), (), PLAIN)
    assert {path: path.stat().st_mtime_ns for path in where.rglob("*")} == before
    for one, other in zip(first.meshes, second.meshes, strict=True):
        assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("corners", "normals", "color"))
        assert (one.bound, one.mean.tolist()) == (other.bound, other.mean.tolist())
    assert len(list(cache.iterdir())) == 15


def test_another_content_or_texture_is_converted_anew_and_a_torn_cache_is_no_error(tmp_path, cache):
    place = tmp_path / "m" / "a"
    place.mkdir(parents=True)
    (place / "a.obj").write_text("mtllib a.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    shown = []
    for red in ("1 0 0", "0 0 1", "0 0 1"):
        (place / "a.mtl").write_text(f"newmtl a\nKd {red}\n")
        load.cache_clear()
        shown.append(load(str(tmp_path / "m"), (), PLAIN).meshes[0].color[0, 0].tolist())
        for path in cache.iterdir():
            path.write_bytes(path.read_bytes()[:100] if len(shown) == 2 else path.read_bytes())
    assert shown[0][0] == 1
    assert shown[1] == shown[2]
    assert shown[1][0] == 0


def test_without_trimesh_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trimesh", None)
    where = tmp_path / "m" / "a"
    where.mkdir(parents=True)
    (where / "a.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    with pytest.raises(SettingError, match=r"pip install 'contiguity\[mesh\]'"):
        load(str(tmp_path / "m"), (), PLAIN)
    assert reading.SUFFIXES
