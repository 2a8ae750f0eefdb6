"""Laws of motion: where everything is at a given age, in closed form.

Every quantity that moves is a wave, `level + amplitude · sin(rate · age + phase)`, or a turn about an axis at a
constant rate. A world can therefore be shown at any age without having been stepped there: saving a world is saving
its age.
"""

import numpy as np
import torch
from torch import Tensor

from envs.scene.random import Draws
from envs.scene.settings import SceneSettings
from envs.scene.state import Scene

# wave: (nuisance it belongs to, range of its level, range of its amplitude, range of its period in steps)
WAVES = {
    "x": ("translation", (-0.15, 0.15), (0.1, 0.35), (200, 400)),  # of the half-width of the view at the object
    "y": ("translation", (-0.1, 0.1), (0.1, 0.3), (200, 400)),
    "distance": ("scale", (4.6, 5.4), (0.3, 1.1), (200, 400)),  # object units from the eye
    "light_azimuth": ("light_direction", (-40, 40), (20, 60), (50, 120)),  # degrees from the eye, to the right
    "light_elevation": ("light_direction", (30, 50), (5, 25), (50, 120)),  # degrees above the horizon
    "light_intensity": ("light_intensity", (-0.2, 0.2), (0.1, 0.5), (40, 100)),  # stops: powers of two
    "light_mired": ("light_color", (140, 220), (20, 70), (50, 120)),  # 1e6 / colour temperature in kelvin
    "background_x": ("background", (-9, 9), (1.0, 3.0), (6, 15)),  # how far the texture has slid, in lengths
    "background_y": ("background", (-9, 9), (0.3, 1.0), (6, 15)),
    "background_color": ("background", (0.5, 0.5), (0.5, 0.5), (6, 15)),  # from one pair of colours to another, 0 to 1
    "occluder_x": ("translation", (-0.2, 0.2), (0.8, 1.4), (50, 100)),  # as x and y, at the occluder's distance
    "occluder_y": ("translation", (-0.6, -0.2), (0.0, 0.2), (60, 140)),
}
WAVE = {name: index for index, name in enumerate(WAVES)}
JITTER_PERIOD = (3.0, 6.0)  # steps
OCCLUDER_DISTANCE = 0.62  # of the object's
HALF_VIEW = 0.40  # tangent of half the field of view: about 44 degrees in all


def draw_motion(draws: Draws, settings: SceneSettings, *, objects: int) -> dict[str, np.ndarray]:
    """The waves and turns of N episodes, as arrays for a Scene."""
    level, amplitude, rate, phase = (np.zeros((len(draws), len(WAVES), *tail)) for tail in ((), (2,), (2,), (2,)))
    for k, (name, (nuisance, levels, amplitudes, periods)) in enumerate(WAVES.items()):
        speed = settings.speed * (nuisance in settings.moving)
        level[:, k] = draws.uniform(f"{name}/level", *levels)
        amplitude[:, k, 0] = draws.uniform(f"{name}/swing", *amplitudes)
        amplitude[:, k, 1] = settings.jitter * amplitude[:, k, 0]
        rate[:, k, 0] = speed * 2 * np.pi / draws.uniform(f"{name}/period", *periods)
        rate[:, k, 1] = speed * 2 * np.pi / draws.uniform(f"{name}/jitter", *JITTER_PERIOD)
        phase[:, k] = draws.uniform(f"{name}/phase", 0, 2 * np.pi, 2)
    turns = [_turn(draws, settings, name) for name in ("object", "occluder")[:objects]]
    facing, axis, spin = (np.stack(part, 1) for part in zip(*turns, strict=True))
    waves_drawn = {"level": level, "amplitude": amplitude, "rate": rate, "phase": phase}
    return waves_drawn | {"facing": facing, "axis": axis, "spin": spin}


def _turn(draws: Draws, settings: SceneSettings, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation at age 0 (N, 4), axis (N, 3), rad a step (N,)."""
    yaw = _about(np.array([0.0, 1.0, 0.0]), draws.uniform(f"{name}/yaw", 0, 2 * np.pi))
    if settings.axis == "vertical":  # stands upright, give or take, and turns about its own upright axis
        pitch = _about(np.array([1.0, 0, 0]), np.radians(draws.uniform(f"{name}/pitch", 0, 35)))
        roll = _about(np.array([0, 0, 1.0]), np.radians(draws.uniform(f"{name}/roll", -15, 15)))
        upright = _product(roll, pitch)
        up, v = np.array([0.0, 1.0, 0.0]), upright[:, 1:]
        facing, axis = _product(upright, yaw), up + 2 * np.cross(v, np.cross(v, up) + upright[:, :1] * up)
    else:
        lie = _about(draws.direction(f"{name}/lie"), draws.uniform(f"{name}/lie_angle", 0, np.pi))
        facing, axis = _product(lie, yaw), draws.direction(f"{name}/axis")
    moves = settings.speed * ("rotation" in settings.moving)
    spin = moves * np.radians(settings.turn) * draws.uniform(f"{name}/spin", 0.5, 1) * draws.sign(f"{name}/way")
    return facing, axis, spin


def waves(scene: Scene, age: Tensor) -> dict[str, Tensor]:
    """The value (N,) of every wave at ages (N,)."""
    values = scene.level + (scene.amplitude * torch.sin(scene.rate * age[:, None, None] + scene.phase)).sum(2)
    return dict(zip(WAVES, values.unbind(1), strict=True))


def positions(wave: dict[str, Tensor], *, occluder: bool) -> Tensor:
    """(N, O, 3) centres in the eye's frame: x right, y up, looking towards -z."""
    distance = wave["distance"]
    reach = HALF_VIEW * distance
    places = [torch.stack([wave["x"] * reach, wave["y"] * reach, -distance], 1)]
    if occluder:
        near, reach = OCCLUDER_DISTANCE * distance, OCCLUDER_DISTANCE * reach
        places.append(torch.stack([wave["occluder_x"] * reach, wave["occluder_y"] * reach, -near], 1))
    return torch.stack(places, 1)


def orientations(scene: Scene, age: Tensor) -> Tensor:
    """(N, O, 4) unit quaternions (w, x, y, z) at ages (N,): the turn since the start, after the start."""
    half = scene.spin * age[:, None] / 2  # (N, O)
    turn = torch.cat([half.cos()[..., None], half.sin()[..., None] * scene.axis], 2)
    (w, v), (a, u) = ((q[..., :1], q[..., 1:]) for q in (turn, scene.facing))
    return torch.cat([w * a - (v * u).sum(-1, keepdim=True), w * u + a * v + torch.linalg.cross(v, u)], -1)


def rotation_matrix(quaternion: Tensor) -> Tensor:
    """(..., 4) unit quaternions to (..., 3, 3) rotations of column vectors."""
    w, x, y, z = quaternion.unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.concatenate([np.cos(angle / 2)[:, None], np.sin(angle / 2)[:, None] * axis], 1)


def _product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    (w, v), (a, u) = (p[:, :1], p[:, 1:]), (q[:, :1], q[:, 1:])
    return np.concatenate([w * a - (v * u).sum(1, keepdims=True), w * u + a * v + np.cross(v, u)], 1)
