"""What changes from frame to frame: where everything is and how it is lit, at one moment or along a path."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from envs.scene.drift import stops_at
from envs.scene.lighting import light_colors, light_directions, power
from envs.scene.motion import orientations, positions, rotation_matrix, waves
from envs.scene.settings import SceneSettings
from envs.scene.state import Scene

AHEAD = 64  # ages of a path


class Snapshot(NamedTuple):
    """What the renderer needs of N worlds at one moment, besides the scene. O objects, L lights."""

    place: Tensor  # (N, O, 3) centres of the objects
    orientation: Tensor  # (N, O, 4) unit quaternions
    light_direction: Tensor  # (N, L, 3) unit vectors towards the lights
    light_color: Tensor  # (N, L, 3) linear RGB irradiance
    background_color: Tensor  # (N, 2, 3) linear RGB of the texture's two colours
    slide: Tensor  # (N, 2) how far the background's texture has slid
    gaze: Tensor  # (N, 2) where the eye looks, in half-widths of the view
    dim: Tensor  # (N,) what day and night leave of all light
    waves: dict[str, Tensor]  # (N,) each


class Placed(NamedTuple):
    """The parts of a scene where a snapshot has them."""

    upright: Tensor  # (N, O, 3, 3) from the eye's frame to the object's
    inverse: Tensor  # (N, O, P, 3, 3) from the eye's frame to the part's own
    centre: Tensor  # (N, O, P, 3) in the eye's frame
    ambient: Tensor  # (N, 3) linear RGB


def snapshot(
    scene: Scene,
    age: Tensor,
    gaze: Tensor,
    settings: SceneSettings,
    stops: Tensor | None = None,
    worlds: int | None = None,
) -> Snapshot:
    """The scene at ages (N,) and gaze (N, 2), its light changed by `stops` (N,); a function of its arguments.

    Where the N are moments of fewer worlds, `worlds` says of how many.
    """
    wave = waves(scene, age)
    stops = torch.zeros_like(age) if stops is None else stops
    dim = power(stops, worlds)
    return Snapshot(
        positions(wave, occluder=settings.occluder),
        orientations(scene, age),
        light_directions(wave, second=settings.second_light),
        light_colors(wave, second=settings.second_light, worlds=worlds) * dim[:, None, None],
        torch.lerp(scene.background_color[:, 0], scene.background_color[:, 1], wave["background_color"][:, None, None]),
        torch.stack([wave["background_x"], wave["background_y"]], 1),
        gaze,
        dim,
        wave | {"light_intensity": wave["light_intensity"] + stops},
    )


def placed(scene: Scene, now: Snapshot) -> Placed:
    """The parts of the scene's objects in the eye's frame."""
    turn = rotation_matrix(now.orientation)  # (N, O, 3, 3) object to eye
    upright = turn.transpose(-1, -2).contiguous()
    centre = now.place[:, :, None] + (turn[:, :, None] @ scene.centre[..., None])[..., 0]
    return Placed(upright, scene.inverse @ upright[:, :, None], centre, scene.ambient * now.dim[:, None])


class Path:
    """The snapshots of a few worlds at many ages, made at once: of these, one takes as long as a hundred.

    Args:
        scene: of N worlds; it stays as it is while the path is used.
        start: (N,) time of each world at age 0.
        age: (N,) the first age of each.
        settings: of the scene.
    """

    def __init__(self, scene: Scene, start: np.ndarray, age: np.ndarray, settings: SceneSettings):
        self._first, self._worlds = age.copy(), np.arange(len(age))
        ages = age + np.arange(AHEAD)[:, None]  # (T, N)
        stops = torch.from_numpy(stops_at((start + ages).reshape(-1), settings).astype(np.float32))
        rows = scene[torch.from_numpy(np.tile(self._worlds, AHEAD))]
        flat = torch.from_numpy(ages.reshape(-1).astype(np.float32))
        self._snapshots = snapshot(rows, flat, torch.zeros(len(flat), 2), settings, stops, len(age))
        self._placed = placed(rows, self._snapshots)

    def reaches(self, age: np.ndarray) -> bool:
        """Whether the path has all worlds at these ages (N,)."""
        steps = age - self._first
        return bool(steps.min() >= 0 and steps.max() < AHEAD)

    def at(self, age: np.ndarray, gaze: Tensor) -> tuple[Snapshot, Placed]:
        """The worlds at ages (N,), their eyes at gaze (N, 2)."""
        rows = (age - self._first) * len(age) + self._worlds
        index = slice(int(rows[0]), int(rows[0]) + 1) if len(rows) == 1 else torch.from_numpy(rows)
        of_all = self._snapshots._asdict()
        wave = {name: values[index] for name, values in of_all.pop("waves").items()}
        now = {name: values[index] for name, values in of_all.items()}
        return Snapshot(**now | {"gaze": gaze, "waves": wave}), Placed(*(part[index] for part in self._placed))
