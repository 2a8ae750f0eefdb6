"""Meshes are cleaned, smoothed, turned upright and brought to one size."""

import numpy as np
import pytest
import trimesh

from envs.errors import SettingError
from envs.meshes.cleaning import cleaned, smooth_normals
from envs.meshes.sizing import ready, seen
from envs.scene.objects import MAX_RADIUS, PROJECTED_AREA
from tests.helpers.meshes import ball, box, cylinder, mesh_of

NOWHERE = np.full((3, 3), np.nan)


def test_triangles_that_are_broken_flat_or_written_twice_are_left_out():
    sound = box().corners
    corners = np.concatenate([sound, sound[:4, ::-1], [NOWHERE], [np.repeat(sound[0, :1], 3, 0)]])
    kept = cleaned(mesh_of(corners, np.full(corners.shape, np.nan)))
    assert (kept.corners == sound / 2).all()
    assert kept.notes == ["1 triangle with a corner that is no number left out"]
    assert np.isfinite(kept.normals).all()


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e12])
def test_no_triangle_is_too_small_or_large_in_itself(scale):
    small = cleaned(mesh_of(ball(9).corners.astype(np.float64) * scale, ball(9).normals))
    assert len(small.corners) == len(ball(9).corners)


def test_what_has_no_triangle_left_is_refused():
    with pytest.raises(SettingError, match="has no triangle with an area"):
        cleaned(mesh_of(np.stack([NOWHERE, np.zeros((3, 3))]), np.zeros((2, 3, 3))))


def test_a_ball_gets_smooth_normals_and_a_box_flat_ones():
    round_ = ball(24).corners.astype(np.float64)
    assert (smooth_normals(round_) * round_).sum(2).min() > 0.998
    flat = smooth_normals(box().corners)
    assert np.abs(np.abs(flat).max(2) - 1).max() < 1e-6


def test_silhouettes_are_those_of_cauchy():
    """The mean silhouette of a convex solid is a quarter of its surface."""
    for solid in (ball(), box(), cylinder()):
        triangles = np.cross(*(solid.corners[:, i] - solid.corners[:, 0] for i in (1, 2)))
        surface = np.linalg.norm(triangles, axis=1).sum() / 2
        assert seen(solid).area == pytest.approx(surface / 4, rel=0.04)


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_every_mesh_is_centred_of_one_silhouette_and_upright(up):
    cone = trimesh.creation.cone(radius=50, height=100)  # its tip along z
    turned = np.roll(cone.triangles, {"x": 1, "y": 2, "z": 0}[up], axis=2) + 1000
    mesh = ready(mesh_of(turned), up=up)
    points = mesh.corners.reshape(-1, 3)
    tip = points[points[:, 1].argmax()]
    assert np.abs(tip[[0, 2]]).max() < 0.05
    assert points[:, 1].max() > 1.3 * -points[:, 1].min()
    assert seen(mesh).area == pytest.approx(PROJECTED_AREA, rel=0.02)
    assert np.linalg.norm(points, axis=1).max() <= mesh.bound <= MAX_RADIUS * 1.002


def test_a_meshs_mean_colour_is_of_what_is_seen():
    inner, outer = box(), box()
    inner.corners = inner.corners / 2
    both = mesh_of(
        np.concatenate([inner.corners, outer.corners]),
        color=np.repeat(np.array([[[1.0, 0, 0]], [[0, 0.5, 0]]], np.float32), 12, 0).repeat(3, 1),
    )
    assert seen(both).color == pytest.approx([0, 0.25, 0], abs=0.02)
