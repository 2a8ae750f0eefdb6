"""Brings meshes to one size and into the middle, by what is seen of them from all around."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envs.meshes.cleaning import cleaned
from envs.meshes.mesh import Mesh
from envs.scene.objects import MAX_RADIUS, PROJECTED_AREA

UP = {  # rotation to y upwards, by the axis that is up in the file
    "x": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "y": np.eye(3),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
UP_OF = {".stl": "z"}  # of formats that are not y upwards as a rule
POINTS = 60_000  # drawn on a mesh
GRID = 96  # cells along an edge of each view
VIEWS = 8  # directions; each counts both ways


class Seen(NamedTuple):
    """What is seen of a mesh from all around."""

    area: float  # mean silhouette
    middle: np.ndarray  # (3,)
    color: np.ndarray  # (3,) mean linear RGB


def ready(mesh: Mesh, *, up: str) -> Mesh:
    """The mesh cleaned, y upwards, in the middle, with the mean silhouette of every object.

    Size and place should not tell a category, hence the measure is the silhouette and not the longest side. What is
    long and thin stays smaller, since no object reaches further than MAX_RADIUS.
    """
    turn = UP[up]
    clean = cleaned(replace(mesh, corners=mesh.corners @ turn.T, normals=mesh.normals @ turn.T))
    look = seen(clean)
    corners = clean.corners - look.middle
    reach = float(np.linalg.norm(corners, axis=2).max())
    scale = min(np.sqrt(PROJECTED_AREA / look.area), MAX_RADIUS / reach)
    return replace(
        clean,
        corners=(scale * corners).astype(np.float32),
        normals=clean.normals.astype(np.float32),
        mean=look.color,
        bound=1.001 * reach * scale,
    )


def seen(mesh: Mesh) -> Seen:
    """Mean silhouette, middle and colour over views from all around, from points drawn evenly on the surface."""
    points, colors = surface(mesh)
    reach = np.linalg.norm(points, axis=1).max() + 1e-9
    areas, middles, means = [], [], []
    for direction in directions(VIEWS):
        across, along = _frame(direction)
        cells = np.floor((points @ across.T / reach + 1) * (GRID / 2)).astype(np.int64).clip(0, GRID - 1)
        cell = cells[:, 0] * GRID + cells[:, 1]
        order = np.argsort(points @ along)
        for nearest_last in (order, order[::-1]):
            front = np.full(GRID * GRID, -1)
            front[cell[nearest_last]] = nearest_last
            front = front[front >= 0]
            areas.append(len(front) * (2 * reach / GRID) ** 2)
            middles.append(points[front].mean(0))
            means.append(colors[front].mean(0))
    return Seen(float(np.mean(areas)), np.mean(middles, 0), np.mean(means, 0))


def surface(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Points (S, 3) drawn evenly on what is not cut out of a mesh, and their linear RGB (S, 3)."""
    rng = np.random.default_rng(0)  # of all meshes the same, so that the same file always gives the same mesh
    area = np.linalg.norm(np.cross(*(mesh.corners[:, i] - mesh.corners[:, 0] for i in (1, 2))), axis=1)
    facet = rng.choice(len(area), POINTS, p=area / area.sum())
    root, v = np.sqrt(rng.random(POINTS)), rng.random(POINTS)
    share = np.stack([1 - root, root * (1 - v), root * v], 1)[:, :, None]  # (S, 3, 1)
    points, colors, uv = ((part[facet] * share).sum(1) for part in (mesh.corners, mesh.color, mesh.uv))
    there, texture = np.ones(POINTS, bool), mesh.texture[facet]
    for number, image in enumerate(mesh.textures):
        rows = np.flatnonzero(texture == number)
        height, width = image.shape[:2]
        x, y = (uv[rows] % 1 * [width, height]).astype(int).T
        rgba = image[height - 1 - y.clip(0, height - 1), x.clip(0, width - 1)] / 255
        colors[rows] *= rgba[:, :3]
        there[rows] = rgba[:, 3] >= mesh.cutoff[number]
    there |= not there.any()
    return points[there], colors[there] ** 2


def directions(count: int) -> np.ndarray:
    """(count, 3) unit vectors spread over half of the sphere, by the golden angle."""
    height = (np.arange(count) + 0.5) / count
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], 1)


def _frame(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors (2, 3) across a direction, and itself (3,)."""
    side = np.cross(direction, np.eye(3)[np.abs(direction).argmin()])
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(direction, side)]), direction
