"""The state of N worlds: one dataclass of tensors with leading axis N."""

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.devices import upload


@dataclass
class Scene:
    """Everything that stays as it is during an episode. O objects, P parts, K waves; lengths in object units."""

    category: Tensor  # (N,) int64
    instance: Tensor  # (N,) int64: unique over categories' splits, the same number in two categories is two objects
    kind: Tensor  # (N, O, P) int32, and so on as in envs.scene.objects.Objects
    inverse: Tensor  # (N, O, P, 3, 3)
    centre: Tensor  # (N, O, P, 3)
    radius: Tensor  # (N, O, P)
    taper: Tensor  # (N, O, P, 2)
    color: Tensor  # (N, O, P, 3)
    bound: Tensor  # (N, O)
    gloss: Tensor  # (N, O, 2)
    texture: Tensor  # (N, O, 4)
    facing: Tensor  # (N, O, 4) unit quaternion (w, x, y, z): orientation at age 0
    axis: Tensor  # (N, O, 3) what it turns about
    spin: Tensor  # (N, O) rad a step
    level: Tensor  # (N, K) middle of each wave of envs.scene.motion.WAVES
    amplitude: Tensor  # (N, K, 2) amplitudes of the slow wave and of the jitter
    rate: Tensor  # (N, K, 2) rad a step
    phase: Tensor  # (N, K, 2) rad
    ambient: Tensor  # (N, 3) linear RGB
    room: Tensor  # (N, 2) height of the floor (negative) and distance of the wall behind
    background_kind: Tensor  # (N,) int32, index into BACKGROUNDS
    background_color: Tensor  # (N, 2, 2, 3) linear RGB of the texture's two colours, at either end of their change
    background_grain: Tensor  # (N, 2) cycles a unit of length, and a seed in [0, 64)

    def __getitem__(self, rows: Tensor) -> "Scene":
        """Returns the scenes of rows (m,)."""
        return type(self)(**{name: part[rows] for name, part in vars(self).items()})

    def __setitem__(self, rows: Tensor, other: "Scene") -> None:
        """Replaces rows (m,) by another scene's m rows."""
        for name, part in vars(self).items():
            part[rows] = getattr(other, name)

    def to(self, device: torch.device) -> "Scene":
        """Returns the same scenes on a device."""
        return type(self)(**{name: upload(part, device) for name, part in vars(self).items()})


@dataclass
class MeshScene(Scene):
    """A scene whose objects are meshes: `kind` is the number of a mesh, and P is 1."""

    tint: Tensor  # (N, O, 3, 3) from the linear RGB of the mesh to that which is shown
