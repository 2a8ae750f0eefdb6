"""Meshes as the objects of scenes: which instances a split has, and what is changed of their size and colours."""

from collections.abc import Sequence

import numpy as np

from envs.meshes.mesh import Mesh
from envs.scene.objects import palette
from envs.scene.random import Draws, key, name_key
from envs.scene.state import MeshScene

RECOLORS = ("palette", "hue", "none")
KEPT = 0.6  # of a mesh's own differences in colour where it is recoloured after a palette, at most
DARKEST = 0.25  # channel of a paled mean, as a share of its grey
BRIGHTER = 64.0  # than its own, at most
GREY = 1 / 3  # each element of the matrix that takes a colour to its grey


class Meshes:
    """The meshes of a split. `kind` of what it builds is the number of a mesh in `meshes`."""

    scene = MeshScene

    def __init__(self, meshes: Sequence[Mesh], members: list[np.ndarray], *, recolor: str, size_jitter: float):
        self.categories = len(members)
        self._counts = np.array([len(group) for group in members])
        self._numbers = np.concatenate(members)  # of meshes, category by category
        self._first = np.cumsum(self._counts) - self._counts
        self._mean = np.stack([mesh.mean for mesh in meshes])
        self._bound = np.array([mesh.bound for mesh in meshes])
        self._recolor, self._size_jitter = recolor, size_jitter

    def choose(self, draws: Draws, name: str, category: np.ndarray) -> np.ndarray:
        """One of the split's meshes of each category, by its number."""
        return self._numbers[self._first[category] + draws.integers(name, self._counts[category])]

    def build(self, draws: Draws, name: str, category: np.ndarray, instance: np.ndarray) -> dict[str, np.ndarray]:
        """The fields of a MeshScene."""
        own, rows = Draws(key(draws.keys, name_key(f"mesh/{name}"))), len(instance)
        scale = np.exp(own.uniform("size", -self._size_jitter, self._size_jitter))
        bound = self._bound[instance] * scale
        return {
            "kind": instance[:, None].astype(np.int32),
            "inverse": (np.eye(3) / scale[:, None, None])[:, None],
            "centre": np.zeros((rows, 1, 3)),
            "radius": bound[:, None],
            "taper": np.zeros((rows, 1, 2)),
            "color": np.ones((rows, 1, 3)),
            "bound": bound,
            "gloss": np.stack([own.uniform("gloss", 0, 0.6), own.log_uniform("shininess", 6, 60)], 1),
            "texture": np.zeros((rows, 4)),
            "tint": self._tint(own, self._mean[instance]),
        }

    def _tint(self, draws: Draws, mean: np.ndarray) -> np.ndarray:
        """(N, 3, 3) from the linear RGB of meshes whose means are (N, 3) to that which is shown."""
        if self._recolor == "none":
            return np.tile(np.eye(3), (len(mean), 1, 1))
        turned = hue_turn(draws.uniform("turn", 0, 2 * np.pi))
        if self._recolor == "hue":
            return turned
        return toward(palette(draws)[:, 0], mean, turned)


def hue_turn(angle: np.ndarray) -> np.ndarray:
    """(N, 3, 3) rotations of colours about the grey axis by angles (N,) rad."""
    across = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    return GREY + cosine * (np.eye(3) - GREY) + sine * across


def toward(color: np.ndarray, mean: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """(N, 3, 3) maps of colours that bring the means (N, 3) of objects to colours (N, 3).

    The hues are turned and paled first, so far that no channel of a mean is near 0, and each channel is scaled then.
    Light and dark parts stay so, and parts of different hues stay different.
    """
    grey = mean.mean(1)
    farthest = np.sqrt(2 / 3) * np.linalg.norm(mean - grey[:, None], axis=1)  # from grey, of a channel, by any turn
    kept = np.minimum(KEPT, (1 - DARKEST) * grey / np.maximum(farthest, 1e-9))
    paled = GREY + kept[:, None, None] * (turned - GREY)
    before = (paled @ mean[..., None])[..., 0]
    return np.minimum(color / np.maximum(before, 1e-6), BRIGHTER)[..., None] * paled
