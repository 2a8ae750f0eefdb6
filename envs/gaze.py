"""Gazes that need no learning: where the eye looks. A gaze that learns acts through the ordinary Gymnasium loop.

A gaze is a function (seed, step, info) -> shift (N, 2) in [-1, 1]: the action for the next step, given the
`info` of the present frame, and in it, as `first_world`, the number of the first of the worlds. It has no state, so
that a stream resumes from its step alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.base import MAX_GAZE, VectorWorld
from envs.devices import upload
from envs.errors import SettingError, unknown
from envs.scene.random import Draws, key

SACCADES_A_STEP = 0.125  # probability of one, so that the eye rests for eight steps on average
LANDING = 0.25  # half-widths of the view that a saccade may miss the object by, to each side


def fixed(seed: int, step: int, info: dict[str, Any]) -> Tensor:
    """The eye stays where it is."""
    return torch.zeros_like(info["gaze"])


def pursuit(seed: int, step: int, info: dict[str, Any]) -> Tensor:
    """The eye follows the object, one step behind."""
    return towards(info["bearing"], info)


def saccades(seed: int, step: int, info: dict[str, Any]) -> Tensor:
    """Now and then, at random, the eye jumps to somewhere near the object, and rests in between."""
    worlds = info.get("first_world", 0) + np.arange(len(info["gaze"]))
    draws = Draws(key("saccades", seed, step, worlds))
    jumps = upload(torch.from_numpy(draws.chance("jump", SACCADES_A_STEP)), info["gaze"].device)
    miss = upload(torch.from_numpy(draws.uniform("landing", -LANDING, LANDING, 2)).float(), info["gaze"].device)
    return towards(info["bearing"] + miss, info) * jumps[:, None]


Gaze = Callable[[int, int, dict[str, Any]], Tensor]
GAZES: dict[str, Gaze] = {one.__name__: one for one in (fixed, pursuit, saccades)}


def gaze(name: str, world: VectorWorld | None = None) -> Gaze:
    """The gaze of this name. Raises SettingError: there is none such, or it needs a bearing that the world lacks."""
    if name not in GAZES:
        raise unknown("stream.gaze", name, GAZES)
    if name != "fixed" and world is not None and not world.has_bearing:
        raise SettingError(
            f"stream.gaze={name} needs a world that says where its object is (factor bearing); try fixed"
        )
    return GAZES[name]


def towards(target: Tensor, info: dict[str, Any]) -> Tensor:
    """The shift (N, 2) that brings the gaze to, or nearer to, targets (N, 2) in half-widths of the view."""
    return ((target - info["gaze"]) / MAX_GAZE).clamp(-1, 1)
