"""Meshes in the renderer against independent truth: closed-form solids, textures, and trimesh's own rays."""

import numpy as np
import pytest
import torch
import trimesh

from envs.rendering.mesh_set import MeshSet
from envs.rendering.render import ground_truth, render
from envs.scene.motion import rotation_matrix
from envs.scene.state import MeshScene
from tests.envs.rendering.test_render import now_of, rays, scene_of
from tests.helpers.meshes import ball, box, cylinder, mesh_of

CPU = torch.device("cpu")
COLOR = torch.tensor([0.7, 0.4, 0.2])  # linear RGB


def solid(kind, count=6, **settings):
    """Scenes whose object is one plain solid, stretched and lifted off its middle, in every world."""
    scene, settings = scene_of(count, second_light=True, **settings)
    scene.radius[:] = 0
    scene.radius[:, 0, 0], scene.bound[:] = 1.8, 2.0
    scene.kind[:, 0, 0], scene.taper[:, 0, 0], scene.texture[:] = kind, 0, 0
    scene.centre[:, 0, 0] = torch.tensor([0.1, 0.1, 0.0])
    scene.inverse[:, 0, 0] = torch.diag(1 / torch.tensor([0.9, 0.7, 1.1]))
    scene.color[:, 0, 0] = COLOR
    return scene, settings


def as_mesh(scene, mesh):
    """The same scenes with a mesh in place of the first part, and its mesh set."""
    parts = {name: part[:, :, :1] if name in PARTS else part for name, part in vars(scene).items()}
    tint = torch.diag(COLOR).repeat(*scene.bound.shape, 1, 1)
    copy = MeshScene(**{name: part.clone() for name, part in parts.items()}, tint=tint)
    copy.kind[:] = 0
    return copy, MeshSet([mesh], CPU)


PARTS = ("kind", "inverse", "centre", "radius", "taper", "color")
SOLIDS = {"ball": (0, ball), "box": (1, box), "cylinder": (2, cylinder)}


@pytest.mark.parametrize("name", SOLIDS)
def test_a_mesh_of_a_solid_is_shown_as_the_solid_is(name):
    kind, make = SOLIDS[name]
    scene, settings = solid(kind)
    meshed, meshes = as_mesh(scene, make())
    now = now_of(scene, settings)
    truth, drawn = (
        (ground_truth(scene, now, settings), render(scene, now, settings)),
        (ground_truth(meshed, now, settings, meshes), render(meshed, now, settings, None, meshes)),
    )
    exact = name == "box"
    other = truth[0].mask != drawn[0].mask
    assert (truth[0].mask == 1).float().mean() > 0.04
    assert other.float().mean() <= (0.0001 if exact else 0.003)
    both = (truth[0].mask == 1) & (drawn[0].mask == 1)
    depth = (truth[0].depth - drawn[0].depth).abs()[both]
    assert depth.quantile(0.99) < (1e-4 if exact else 0.01)
    cosine = (truth[0].normals * drawn[0].normals).sum(-1)[both]
    assert cosine.quantile(0.01) > (0.99999 if exact else 0.995)
    levels = (truth[1].int() - drawn[1].int()).abs()[~other].float()  # the room with its shadows too
    assert levels.mean() < (0.02 if exact else 0.3)
    assert (levels > 8).float().mean() < (0.001 if exact else 0.01)


def quad(image, *, cutoff=0.0):
    """A square of half-width 1 in the plane z = 0, over which a texture lies once."""
    a, b, c, d = ([x, y, 0] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)))
    uv = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)
    there = {"uv": uv, "texture": np.zeros(2, np.int32), "textures": [image], "cutoff": np.array([cutoff], np.float32)}
    return mesh_of([[a, b, c], [a, c, d]], **there)


def before_the_eye(mesh, **settings):
    """One world in which a mesh stands straight ahead at distance 5, in ambient light alone."""
    scene, settings = scene_of(1, **settings)
    scene, meshes = as_mesh(scene, mesh)
    scene.bound[:], scene.centre[:], scene.inverse[:] = 2.0, 0.0, torch.eye(3)
    scene.tint[:], scene.ambient[:], scene.gloss[:] = torch.eye(3), 1.0, 0.0
    now = now_of(scene, settings)
    now.place[:, 0], now.orientation[:, 0] = torch.tensor([0.0, 0, -5]), torch.tensor([1.0, 0, 0, 0])
    now.light_color[:] = 0
    return scene, now, settings, meshes


def bilinear(image, u, v):
    """(M, 4) colours of a texture (h, w, 4) that repeats, at u and v (M,), v upwards."""
    height, width = image.shape[:2]
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    out = 0
    for dx in (0, 1):
        for dy in (0, 1):
            i, j = np.floor(x).astype(int) + dx, np.floor(y).astype(int) + dy
            share = (1 - np.abs(x - i)) * (1 - np.abs(y - j))
            out = out + share[:, None] * image[j % height, i % width].astype(float)
    return out


def test_a_textured_square_shows_its_texture_bilinear():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    scene, now, settings, meshes = before_the_eye(quad(image), size=64)
    shown = render(scene, now, settings, None, meshes)[0].numpy()
    mask = ground_truth(scene, now, settings, meshes).mask[0].numpy() == 1
    at = 5 * rays(64)[mask][:, :2]  # of the plane
    assert mask.sum() == (np.abs(5 * rays(64)[..., :2]).max(-1) < 1).sum() > 600
    expected = bilinear(image, (at[:, 0] + 1) / 2, (at[:, 1] + 1) / 2)[:, :3]
    assert np.abs(shown[mask] - expected).max() <= 1


def test_what_a_texture_cuts_out_is_not_there_and_casts_no_shadow():
    image = np.full((8, 8, 4), 255, np.uint8)
    image[:, 4:, 3] = 0  # its right half
    scene, now, settings, meshes = before_the_eye(quad(image, cutoff=0.5), size=64)
    mask = ground_truth(scene, now, settings, meshes).mask[0].numpy() == 1
    assert mask[:, :31].sum() > 300
    assert not mask[:, 34:].any()
    now.light_color[:], now.background_color[:] = 1.0, 0.2
    now.light_direction[:] = torch.nn.functional.normalize(torch.tensor([-0.6, 0.0, 1.0]), dim=0)
    scene.background_kind[:], scene.ambient[:] = 0, 0.0
    scene.room[:] = torch.tensor([-50.0, 10.0])  # the floor is out of sight
    wall = render(scene, now, settings, None, meshes)[0, 32, :, 0].numpy()
    assert (wall[49:55] == 0).all()  # 2 to 3 to the right on the wall: the left half's shadow
    assert (wall[57:] > 80).all()  # and where that of the right half would be


def test_distances_are_those_of_trimeshs_rays():
    rng = np.random.default_rng(0)
    corners = trimesh.creation.icosphere(subdivisions=2).triangles
    lumpy = corners * (1 + 0.3 * np.sin(7 * corners[..., :1]))
    scene, settings = scene_of(10, size=48)
    scene, meshes = as_mesh(scene, mesh_of(lumpy))
    scene.bound[:], scene.centre[:], scene.inverse[:] = 1.4, 0.0, torch.eye(3)
    now = now_of(scene, settings)
    truth = ground_truth(scene, now, settings, meshes)
    world, row, column = rng.integers(0, 10, 1000), *rng.integers(8, 40, (2, 1000))
    way = rays(48)[row, column]
    turn = rotation_matrix(now.orientation[:, 0]).double().numpy()[world]
    place = now.place[:, 0].double().numpy()[world]
    start, along = (np.einsum("rji,rj->ri", turn, -place), np.einsum("rji,rj->ri", turn, way))
    solid = trimesh.Trimesh(**trimesh.triangles.to_kwargs(lumpy.astype(np.float32)))
    at, ray, _ = solid.ray.intersects_location(start, along, multiple_hits=False)
    expected = np.full(1000, np.inf)
    expected[ray] = ((at - start[ray]) * along[ray]).sum(1) / (along[ray] ** 2).sum(1)
    depth = truth.depth.numpy()[world, row, column]
    assert 300 < np.isfinite(expected).sum() < 1000
    assert (np.isfinite(depth) == np.isfinite(expected)).mean() > 0.998
    both = np.isfinite(depth) & np.isfinite(expected)
    assert np.abs(depth[both] - expected[both]).max() < 1e-3
