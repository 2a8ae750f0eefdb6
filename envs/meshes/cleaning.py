"""What a mesh needs before it can be shown: no broken triangles, and a normal at each corner."""

from dataclasses import replace

import numpy as np

from envs.command.text import counted
from envs.errors import SettingError
from envs.meshes.mesh import Mesh

SAME = 1e-6  # of the extent: points nearer than that are one
LEAST_AREA = 1e-12  # of a triangle, in squared extents
LARGEST = 1e30  # beyond which a coordinate is none
CREASE = 40.0  # degrees between facets, above which an edge is sharp
VALENCE = 64  # facets at a point beyond which not each is compared with each
BARELY = 1e-12


def cleaned(mesh: Mesh) -> Mesh:
    """The mesh without triangles that are broken, have no area or occur twice, and with normals at all corners.

    It is brought to an extent of 1 about the origin, so that no file's unit is too small or too large.

    Raises SettingError, whose message goes on after the file's name: no triangle is left.
    """
    finite = (np.abs(mesh.corners) < LARGEST).all((1, 2))  # of NaN too
    kept = _of_unit_extent(mesh.rows(finite))
    shown = _once(kept.rows(_area(kept.corners) > LEAST_AREA))
    if not len(shown.corners):
        raise SettingError("has no triangle with an area; export it again")
    lost = int((~finite).sum())  # those without an area nobody would see
    dropped = [f"{counted(lost, 'triangle')} with a corner that is no number left out"] if lost else []
    return replace(shown, normals=_completed(shown), notes=[*mesh.notes, *dropped])


def facet_normals(corners: np.ndarray) -> np.ndarray:
    """(F, 3) unit normals of triangles (F, 3, 3)."""
    normal = _cross(corners)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)


def smooth_normals(corners: np.ndarray, *, crease: float = CREASE) -> np.ndarray:
    """(F, 3, 3) normals at the corners of triangles (F, 3, 3): those of the facets around, weighted by their angles.

    Facets count that are less than `crease` degrees from the corner's own, so that a ball is round and a box is not.
    The weights are those of Thurmer and Wuthrich (1998), "Computing vertex normals from polygonal facets".
    """
    facet = np.repeat(facet_normals(corners), 3, axis=0)  # (3 F, 3)
    weighted = facet * _angles(corners).reshape(-1, 1)
    total = weighted.copy()
    points = points_of(corners).reshape(-1)
    order = np.argsort(points, kind="stable")
    limit, first = np.cos(np.radians(crease)), np.arange(len(order))
    for shift in range(1, VALENCE):
        first = first[first + shift < len(order)]
        a, b = order[first], order[first + shift]
        same = points[a] == points[b]
        first, a, b = first[same], a[same], b[same]
        if not len(first):
            break
        near = (facet[a] * facet[b]).sum(1) > limit
        np.add.at(total, a[near], weighted[b[near]])
        np.add.at(total, b[near], weighted[a[near]])
    return _unit(total, facet).reshape(corners.shape)


def points_of(corners: np.ndarray) -> np.ndarray:
    """(F, 3) int64: the number of each corner's point; corners at one place have one number."""
    low = corners.min((0, 1))
    cells = np.round((corners - low) / (SAME * max(_extent(corners), 1e-150))).astype(np.int64)
    packed = (cells[..., 0] << 42) | (cells[..., 1] << 21) | cells[..., 2]  # a million cells an edge
    return np.unique(packed, return_inverse=True)[1].reshape(packed.shape)


def _completed(mesh: Mesh) -> np.ndarray:
    """The normals that the file gives, and where it gives none or no sound ones those of the facets around."""
    length = np.linalg.norm(mesh.normals, axis=2)
    sound = np.abs(length - 1) < 0.1
    if sound.all():
        return mesh.normals / length[..., None]
    return np.where(sound[..., None], mesh.normals, smooth_normals(mesh.corners))


def _once(mesh: Mesh) -> Mesh:
    """The mesh with each triangle once, whichever way round and with whichever of its looks comes first."""
    if not len(mesh.corners):
        return mesh
    points = np.sort(points_of(mesh.corners), axis=1)
    return mesh.rows(np.sort(np.unique(points, axis=0, return_index=True)[1]))


def _of_unit_extent(mesh: Mesh) -> Mesh:
    if not _extent(mesh.corners):
        return mesh
    corners = mesh.corners.astype(np.float64)
    middle = (corners.min((0, 1)) + corners.max((0, 1))) / 2
    return replace(mesh, corners=(corners - middle) / _extent(corners))


def _extent(corners: np.ndarray) -> float:
    return float(np.ptp(corners.reshape(-1, 3), axis=0).max()) if len(corners) else 0.0


def _cross(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _area(corners: np.ndarray) -> np.ndarray:
    return np.linalg.norm(_cross(corners), axis=1) / 2


def _angles(corners: np.ndarray) -> np.ndarray:
    """(F, 3) rad at each corner."""
    after, before = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    across = np.linalg.norm(np.cross(after, before), axis=2)
    return np.arctan2(across, (after * before).sum(2))


def _unit(vectors: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """(M, 3) unit vectors; where there is no direction, those of `otherwise`."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > BARELY, vectors / np.maximum(length, BARELY), otherwise)
