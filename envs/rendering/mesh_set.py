"""The meshes that a world shows, on its device, where the kernels of `envs.rendering.meshes` find them."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import warp as wp

from envs.meshes.mesh import Mesh
from envs.rendering.world import Meshes


class MeshSet:
    """M meshes on a device; `view` is what the kernels see of them. Kept alive by whoever renders."""

    def __init__(self, meshes: Sequence[Mesh], device: torch.device):
        place = str(device) if device.type == "cuda" else "cpu"
        self._trees = [_tree(mesh, place) for mesh in meshes]
        first_texture = np.cumsum([0, *(len(mesh.textures) for mesh in meshes)])
        textures = [texture for mesh in meshes for texture in mesh.textures]
        sizes = np.array([texture.shape[:2] for texture in textures], np.int64).reshape(-1, 2)
        first_texel = np.cumsum([0, *sizes.prod(1)])[: len(sizes)]
        numbers = [
            np.where(mesh.texture < 0, -1, mesh.texture + first)
            for mesh, first in zip(meshes, first_texture, strict=False)
        ]
        texels = np.concatenate([texture.reshape(-1, 4) for texture in textures]) if textures else np.zeros((0, 4))
        arrays = {
            "mesh": np.array([tree.id for tree in self._trees], np.uint64),
            "first_face": np.cumsum([0, *(len(mesh.corners) for mesh in meshes)])[:-1].astype(np.int32),
            "normal": np.concatenate([mesh.normals for mesh in meshes]),
            "uv": np.concatenate([mesh.uv for mesh in meshes]),
            "color": np.concatenate([mesh.color for mesh in meshes]),
            "texture": np.concatenate(numbers).astype(np.int32),
            "texture_shape": np.concatenate([first_texel[:, None], sizes], 1).astype(np.int32),
            "cutoff": np.concatenate([mesh.cutoff for mesh in meshes]).astype(np.float32),
            "texel": texels.astype(np.uint8),
        }
        view, struct = Meshes(), cast(Any, Meshes)
        for name, field in struct.vars.items():
            values: Any = arrays[name]
            setattr(view, name, wp.array(values, dtype=field.type.dtype, device=place))
        self._arrays = view  # which holds the arrays that the struct on the device only points to
        self.view: wp.array = wp.array([view], dtype=Meshes, device=place)


def _tree(mesh: Mesh, place: str) -> wp.Mesh:
    """The tree of a mesh; no corners are shared, those of facet f are points 3 f to 3 f + 2."""
    points: wp.array = wp.array(mesh.corners.reshape(-1, 3), dtype=wp.vec3, device=place)
    return wp.Mesh(points, wp.array(np.arange(3 * len(mesh.corners)), dtype=wp.int32, device=place))
