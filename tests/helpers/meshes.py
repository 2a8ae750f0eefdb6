"""Small meshes that tests make themselves: solids of facets, and folders of files."""

from pathlib import Path

import numpy as np
import trimesh

from envs.meshes.mesh import Mesh


def mesh_of(corners, normals=None, **parts) -> Mesh:
    """A white mesh of triangles (F, 3, 3), flat unless normals are given."""
    corners, count = np.asarray(corners, np.float64), len(corners)
    if normals is None:
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.repeat((across / np.linalg.norm(across, axis=1, keepdims=True))[:, None], 3, 1)
    plain = {
        "uv": np.zeros((count, 3, 2), np.float32),
        "color": np.ones((count, 3, 3), np.float32),
        "texture": np.full(count, -1, np.int32),
    }
    return Mesh(corners.astype(np.float32), np.asarray(normals, np.float32), **(plain | parts))


def quads(grid):
    """(F, 3, 3) triangles between neighbours of a grid (R, C, 3) of points."""
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    both = np.concatenate([np.stack([a, b, c], 2), np.stack([a, c, d], 2)]).reshape(-1, 3, 3)
    size = np.linalg.norm(np.cross(both[:, 1] - both[:, 0], both[:, 2] - both[:, 0]), axis=1)
    return both[size > 1e-9]


def ball(rings: int = 48) -> Mesh:
    """The unit sphere, smooth."""
    polar, turn = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij")
    flat = np.sin(polar)
    corners = quads(np.stack([flat * np.sin(turn), np.cos(polar), flat * np.cos(turn)], -1))
    return mesh_of(corners, corners / np.linalg.norm(corners, axis=2, keepdims=True))


def box() -> Mesh:
    """The cube of half-width 1."""
    solid = trimesh.creation.box((2, 2, 2))
    return mesh_of(solid.triangles)


def cylinder(sides: int = 128) -> Mesh:
    """The cylinder of radius 1 and half-height 1 about y, its side smooth and its ends flat."""
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    rim = np.stack([np.sin(turn), np.zeros_like(turn), np.cos(turn)], 1)
    up = np.array([0.0, 1.0, 0.0])
    side = quads(np.stack([rim + up, rim - up]))
    ends = [
        np.stack([np.broadcast_to(y * up, (sides, 3)), (rim + y * up)[:-1], (rim + y * up)[1:]], 1)[:, ::y]
        for y in (1, -1)
    ]
    flat = mesh_of(np.concatenate(ends))
    smooth = mesh_of(side, side * [1, 0, 1])
    return mesh_of(
        np.concatenate([smooth.corners, flat.corners]), normals=np.concatenate([smooth.normals, flat.normals])
    )


def folder_of(where: Path, *, files: int = 5, categories: tuple[str, ...] = ("ball", "box", "rod")) -> Path:
    """A folder of meshes: a sub-folder a category, with files of several formats."""
    kinds = {
        "ball": lambda size: trimesh.creation.icosphere(subdivisions=1, radius=size),
        "box": lambda size: trimesh.creation.box((size, 1, 1)),
        "rod": lambda size: trimesh.creation.cylinder(radius=0.3, height=size, sections=8),
    }
    for name in categories:
        (where / name).mkdir(parents=True)
        for number, suffix in zip(range(files), ("glb", "ply", "stl", "off", "obj") * files, strict=False):
            kinds[name](1.0 + 0.2 * number).export(where / name / f"{number}.{suffix}")
    return where
