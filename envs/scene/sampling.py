"""Draws the scenes of N worlds from their settings."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import torch

from envs.scene.categories import CATEGORIES
from envs.scene.drift import beginnings, in_block
from envs.scene.lighting import draw_light
from envs.scene.motion import draw_motion
from envs.scene.objects import Objects, assemble
from envs.scene.random import Draws, key
from envs.scene.settings import BACKGROUNDS, SPLIT_STRIDE, SPLITS, SceneSettings
from envs.scene.state import FIELDS, Scene

CONTRAST = (0.6, 1.0)  # of the background's two colours, as a share of that of two colours drawn apart


class Episode(NamedTuple):
    """The object of each row's episode, drawn on the CPU because all other draws depend on it."""

    draws: Draws  # by keys (N,) uint64 of (world seed, episode)
    category: np.ndarray  # (N,) int64
    instance: np.ndarray  # (N,) int64


def sample_episode(seeds: np.ndarray, episodes: np.ndarray, settings: SceneSettings) -> Episode:
    """Draws category and instance for worlds with seeds (N,) in their episodes (N,), counted from 0."""
    draws = Draws(key("encounter", seeds, episodes))
    instance = SPLITS[settings.split] * SPLIT_STRIDE + draws.integers("instance", settings.instances)
    start, edges = beginnings(seeds, episodes, settings), settings.blocks(settings.categories)
    return Episode(draws, in_block(draws, "category", start, settings, edges=edges), instance)


def draw_scene(episode: Episode, settings: SceneSettings) -> Scene:
    """Draws the scenes of N episodes, on the CPU, as a function of the episodes alone."""
    draws = episode.draws
    arrays = {"category": episode.category, "instance": episode.instance}
    arrays |= _objects(episode, settings)
    arrays |= (motion := draw_motion(draws, settings, objects=1 + settings.occluder))
    arrays |= draw_light(draws, settings, motion)
    arrays |= _background(draws, settings)
    for name, array in arrays.items():
        arrays[name] = np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else None)
    return Scene(**{name: torch.from_numpy(arrays[name]) for name in FIELDS})


def _objects(episode: Episode, settings: SceneSettings) -> dict[str, np.ndarray]:
    known = list(CATEGORIES.values())[: settings.categories]
    cast = [assemble(known, episode.category, episode.instance)]
    if settings.occluder:
        draws = episode.draws
        instance = SPLITS[settings.split] * SPLIT_STRIDE + draws.integers("occluder/instance", settings.instances)
        cast.append(assemble(known, draws.integers("occluder/category", settings.categories), instance))
    names = [item.name for item in fields(Objects)]
    return {name: np.stack([getattr(one, name) for one in cast], 1) for name in names}


def _background(draws: Draws, settings: SceneSettings) -> dict[str, np.ndarray]:
    if settings.background == "mixed":
        kind = draws.integers("background", BACKGROUNDS.index("pictures"))
    else:
        kind = np.full(len(draws), BACKGROUNDS.index(settings.background))
    color = draws.uniform("background/color", 0, 1, 12).reshape(-1, 2, 2, 3) ** 2
    near = draws.uniform("background/contrast", *CONTRAST)[:, None, None]  # the second colour is not far from the first
    color[:, :, 1] = near * color[:, :, 1] + (1 - near) * color[:, :, 0]
    cycles = draws.log_uniform("background/cycles", 0.15, 0.5)
    return {
        "room": np.stack([draws.uniform("floor", -2.4, -1.5), draws.uniform("wall", 9.0, 13.0)], 1),
        "background_kind": kind.astype(np.int32),
        "background_color": color,
        "background_grain": np.stack([cycles, draws.uniform("grain", 0, 64)], 1),
    }
