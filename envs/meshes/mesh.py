"""A mesh: triangles with the normals, colours and texture coordinates of their corners."""

from dataclasses import dataclass, field, replace

import numpy as np

PER_TRIANGLE = ("corners", "normals", "uv", "color", "texture")


@dataclass
class Mesh:
    """One object in its own frame. F triangles, K textures. Colours are as sRGB stores them."""

    corners: np.ndarray  # (F, 3, 3) float, counter-clockwise from outside
    normals: np.ndarray  # (F, 3, 3) float unit vectors; NaN where they are not known yet
    uv: np.ndarray  # (F, 3, 2) float32, v upwards
    color: np.ndarray  # (F, 3, 3) float32 in [0, 1]
    texture: np.ndarray  # (F,) int32 index into textures, -1 for none
    textures: list[np.ndarray] = field(default_factory=list)  # each (h, w, 4) uint8
    cutoff: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))  # (K,) of alpha; 0 where all is opaque
    notes: list[str] = field(default_factory=list)  # what a user should know about how it was read, a phrase each
    mean: np.ndarray = field(default_factory=lambda: np.full(3, 0.5))  # (3,) linear RGB of what is seen of it
    bound: float = 0.0  # radius of a sphere about the origin that holds it, once it is brought to size

    def rows(self, chosen: np.ndarray) -> "Mesh":
        """The triangles chosen by a mask (F,) or by their numbers."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in PER_TRIANGLE})
