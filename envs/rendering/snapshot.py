"""What changes from frame to frame: where everything is and how it is lit, at one moment or along a path."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from envs.scene.drift import phase_of, stops_at
from envs.scene.lighting import light_colors, light_directions, power
from envs.scene.motion import HALF_VIEW, orientations, positions, rotation_matrix, waves
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


def changes(scene: Scene, now: Snapshot) -> dict[str, Tensor]:
    """What the renderer has to be told of each frame: a snapshot, and where it puts the parts of the scene."""
    changing = now._asdict() | placed(scene, now)._asdict()
    del changing["waves"]
    return changing


def factors(scene: Scene, now: Snapshot) -> dict[str, Tensor]:
    """The ground truth of N worlds at one moment, (N, ...) each, as envs.scenes.SceneVector explains it."""
    return {
        "category": scene.category.clone(),
        "instance": scene.instance.clone(),
        "position": now.place[:, 0],
        "orientation": now.orientation[:, 0],
        "distance": now.waves["distance"],
        "light_direction": now.light_direction[:, 0],
        "light_intensity": now.waves["light_intensity"],
        "light_color": 1e6 / now.waves["light_mired"],
        "background": scene.background_kind.long(),
        "background_offset": now.slide,
        "background_color": now.background_color,
        "bearing": now.place[:, 0, :2] / (HALF_VIEW * now.waves["distance"][:, None]),
    }


class Path:
    """What changes in a few worlds at many ages, made at once: of these, one takes as long as a hundred.

    Args:
        scene: of N worlds; it stays as it is while the path is used.
        start: (N,) time of each world at age 0.
        age: (N,) the first age of each.
        settings: of the scene.
    """

    def __init__(self, scene: Scene, start: np.ndarray, age: np.ndarray, settings: SceneSettings):
        self._first = age.copy()
        ages = age + np.arange(AHEAD)[:, None]  # (T, N)
        stops = torch.from_numpy(stops_at((start + ages).reshape(-1), settings).astype(np.float32))
        rows = scene[torch.from_numpy(np.tile(np.arange(len(age)), AHEAD))]
        flat = torch.from_numpy(ages.reshape(-1).astype(np.float32))
        of_all = snapshot(rows, flat, torch.zeros(len(flat), 2), settings, stops, len(age))
        self._changes = changes(rows, of_all)
        phase = torch.from_numpy(phase_of(np.tile(start, AHEAD), ages.reshape(-1), settings))
        self._factors = factors(rows, of_all) | {"phase": phase}

    def reaches(self, age: np.ndarray) -> bool:
        """Whether the path has all worlds at these ages (N,), which are as far apart as they were at first."""
        step = int(age[0] - self._first[0])
        return 0 <= step < AHEAD and (len(age) == 1 or bool((age - self._first == step).all()))

    def at(self, age: np.ndarray, gaze: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What `changes` and `factors` say, and the phase, of the worlds at ages (N,), their eyes at gaze (N, 2)."""
        first = int(age[0] - self._first[0]) * len(age)
        rows = slice(first, first + len(age))
        changing = {name: values[rows] for name, values in self._changes.items()}
        return changing | {"gaze": gaze}, {name: values[rows] for name, values in self._factors.items()}
