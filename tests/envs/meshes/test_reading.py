"""Files of every format are read with their places, colours and normals; broken ones are refused in a line."""

import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from envs.errors import SettingError
from envs.meshes.files import Beside
from envs.meshes.reading import read

LIMIT = 1 << 20
BROWN = np.array([180, 90, 30], np.uint8)


def read_file(path, root=None, *, limit=LIMIT, triangles=10_000):
    beside = Beside(path, root or path.parent, limit=limit)
    return read(path, path.read_bytes(), beside, limit=limit, triangles=triangles)


def box(visual=None):
    solid = trimesh.creation.box((1, 2, 3))
    if visual is not None:
        solid.visual = visual
    return solid


@pytest.mark.parametrize("suffix", ["glb", "gltf", "obj", "ply", "stl", "off"])
def test_every_format_has_the_triangles_that_were_written(tmp_path, suffix):
    if suffix == "gltf":
        for name, data in trimesh.exchange.gltf.export_gltf(trimesh.Scene(box())).items():
            (tmp_path / name.replace("model", "box")).write_bytes(data)
    else:
        box().export(tmp_path / f"box.{suffix}")
    mesh = read_file(tmp_path / f"box.{suffix}")
    assert mesh.corners.shape == (12, 3, 3)
    assert np.allclose(np.ptp(mesh.corners.reshape(-1, 3), axis=0), [1, 2, 3])
    outward = np.cross(mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0])
    assert ((outward * mesh.corners.mean(1)).sum(1) > 0).all()
    assert mesh.texture.tolist() == [-1] * 12


def test_colours_of_points_and_of_materials_are_as_viewers_show_them(tmp_path):
    points = trimesh.creation.box((1, 2, 3))
    points.visual.vertex_colors = np.tile([*BROWN, 255], (len(points.vertices), 1))
    points.export(tmp_path / "points.ply")
    linear = np.array([0.5, 0.1, 0.02])
    material = PBRMaterial(baseColorFactor=[*linear, 1.0])
    box(TextureVisuals(uv=np.zeros((8, 2)), material=material)).export(tmp_path / "material.glb")
    (tmp_path / "wood.mtl").write_text("newmtl wood\nKd 0.7 0.35 0.1\n")
    (tmp_path / "wood.obj").write_text("mtllib wood.mtl\nusemtl wood\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert np.abs(read_file(tmp_path / "points.ply").color - BROWN / 255).max() < 1e-6
    stored = np.round(linear * 255) / 255  # trimesh keeps factors as bytes
    expected = 1.055 * stored ** (1 / 2.4) - 0.055  # glTF's factors are linear; IEC 61966-2-1
    assert np.abs(read_file(tmp_path / "material.glb").color - expected).max() < 0.01
    assert np.abs(read_file(tmp_path / "wood.obj").color - [0.7, 0.35, 0.1]).max() < 0.01


@pytest.mark.parametrize("suffix", ["glb", "obj"])
def test_a_texture_comes_along_with_its_coordinates(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    uv = np.random.default_rng(1).random((8, 2))
    image = Image.fromarray(pixels)
    image.format = "PNG"
    kind = PBRMaterial(baseColorTexture=image) if suffix == "glb" else SimpleMaterial(image=image)
    solid = box(TextureVisuals(uv=uv, material=kind))
    solid.export(tmp_path / f"box.{suffix}")
    mesh = read_file(tmp_path / f"box.{suffix}")
    assert (mesh.texture == 0).all()
    assert (mesh.textures[0][..., :3] == pixels).all()
    assert mesh.cutoff.tolist() == [0]
    places = {tuple(np.round(p, 4)): q for p, q in zip(solid.vertices.tolist(), uv, strict=True)}
    for corner, at in zip(mesh.corners.reshape(-1, 3), mesh.uv.reshape(-1, 2), strict=True):
        assert np.abs(places[tuple(np.round(corner.astype(float), 4))] - at).max() < 1e-3
    assert mesh.color.min() > (0.99 if suffix == "glb" else 0.3)


def test_nodes_place_their_parts_and_a_mirror_keeps_faces_outward(tmp_path):
    scene, mirror = trimesh.Scene(), np.diag([-1.0, 1, 1, 1])
    scene.add_geometry(box(), geom_name="box", node_name="one")
    mirror[0, 3] = 5
    scene.graph.update("two", matrix=mirror, geometry="box")
    scene.export(tmp_path / "two.glb")
    mesh = read_file(tmp_path / "two.glb")
    assert len(mesh.corners) == 24
    assert np.allclose(mesh.corners.reshape(-1, 3).max(0), [5.5, 1, 1.5])
    outward = np.cross(mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0])
    middle = np.where(mesh.corners.mean(1)[:, :1] > 2, [[5.0, 0, 0]], [[0.0, 0, 0]])
    assert ((outward * (mesh.corners.mean(1) - middle)).sum(1) > 0).all()


def test_normals_are_the_files_or_unknown(tmp_path):
    solid = trimesh.creation.icosphere(subdivisions=1)
    solid.export(tmp_path / "with.ply", vertex_normal=True)
    solid.export(tmp_path / "without.ply", vertex_normal=False)
    given = read_file(tmp_path / "with.ply")
    assert np.abs(given.normals - given.corners).max() < 0.05  # of a ball, its points
    assert np.isnan(read_file(tmp_path / "without.ply").normals).all()


def gltf(path, **parts):
    position = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}
    tree = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": "data.bin", "byteLength": 36}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [position],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
        "scene": 0,
    }
    path.write_text(json.dumps(tree | parts))
    (path.parent / "data.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    return path


@pytest.mark.parametrize(
    "uri", ["../data.bin", "%2e%2e/data.bin", "/etc/hostname", "file:///etc/hostname", "http://x/y"]
)
def test_nothing_outside_of_the_folder_is_read(tmp_path, uri):
    (tmp_path / "data.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    (tmp_path / "in").mkdir()
    path = gltf(tmp_path / "in" / "a.gltf", buffers=[{"uri": uri, "byteLength": 36}])
    (tmp_path / "in" / "data.bin").unlink()
    with pytest.raises(SettingError, match="is outside of the folder, and is not read"):
        read_file(path)


def test_a_link_that_leads_outside_is_not_followed_by_what_names_it(tmp_path):
    (tmp_path / "in").mkdir()
    path = gltf(tmp_path / "in" / "a.gltf")
    (tmp_path / "in" / "data.bin").rename(tmp_path / "data.bin")
    (tmp_path / "in" / "data.bin").symlink_to(tmp_path / "data.bin")
    with pytest.raises(SettingError, match="outside of the folder"):
        read_file(path)
    assert len(read_file(path, tmp_path).corners) == 1  # where the folder given holds both


BROKEN = {
    "empty.stl": (b"", "is empty"),
    "empty.glb": (b"", "is empty"),
    "short.glb": (struct.pack("<4s4I", b"glTF", 2, 999, 900, 0x4E4F534A), "is truncated"),
    "other.glb": (b"x" * 40, "does not begin as one"),
    "list.gltf": (b"[]", "its JSON is no object"),
    "deep.gltf": (b"[" * 100_000, "is no sound glTF"),
    "other.ply": (b"something", "can't be read"),
    "points.obj": (b"v 0 0 0\nv 1 0 0\n", "has no faces"),
    "points.ply": (
        b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
        b"0 0 0\n1 1 1\n",
        "has no faces, 2 points only",
    ),
    "outside.obj": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "can't be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_line(tmp_path, name):
    data, line = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SettingError, match=line) as caught:
        read_file(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"accessors": [{"componentType": 5126, "count": 10**12, "type": "VEC3"}]}, "asks for arrays of"),
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "DracoPy"),
        ({"extensionsRequired": ["EXT_meshopt_compression"]}, "export it without"),
        ({"nodes": [{"children": [0]}]}, "nodes that are no tree"),
        ({"accessors": [{}]}, "is no sound glTF"),
    ],
)
def test_a_gltf_that_can_not_be_read_within_bounds_is_refused_first(tmp_path, monkeypatch, parts, line):
    monkeypatch.setattr("envs.meshes.gltf.find_spec", lambda _: None)  # no decoder, whatever is installed here
    with pytest.raises(SettingError, match=line):
        read_file(gltf(tmp_path / "a.gltf", **parts))


def test_more_triangles_than_allowed_and_a_larger_texture_are_refused_or_left_out(tmp_path):
    box().export(tmp_path / "box.off")
    with pytest.raises(SettingError, match="shows 12 triangles, over env.max_triangles=11"):
        read_file(tmp_path / "box.off", triangles=11)
    (tmp_path / "a.mtl").write_text("newmtl a\nKd 0.5 0.5 0.5\nmap_Kd gone.png\n")
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n")
    mesh = read_file(tmp_path / "a.obj")
    assert mesh.notes == ["gone.png is not there"]
    assert np.abs(mesh.color - 0.5).max() < 0.01
