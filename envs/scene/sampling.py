"""Draws the scenes of N worlds from their settings."""

from dataclasses import fields
from typing import NamedTuple, Protocol

import numpy as np
import torch

from envs.scene.categories import CATEGORIES
from envs.scene.drift import beginnings, in_block
from envs.scene.lighting import draw_light
from envs.scene.motion import draw_motion
from envs.scene.objects import Objects, assemble
from envs.scene.random import Draws, key
from envs.scene.settings import BACKGROUNDS, SPLIT_STRIDE, SPLITS, SceneSettings
from envs.scene.state import Scene

CONTRAST = (0.6, 1.0)  # of the background's two colours, as a share of that of two colours drawn apart


class Cast(Protocol):
    """The objects that may appear in a scene, by category and instance."""

    categories: int

    @property
    def scene(self) -> type[Scene]:
        """The class of the scenes that they make."""

    def choose(self, draws: Draws, name: str, category: np.ndarray) -> np.ndarray:
        """Draws an instance (N,) of each category (N,), under a name."""

    def build(self, draws: Draws, name: str, category: np.ndarray, instance: np.ndarray) -> dict[str, np.ndarray]:
        """The fields of a scene that say what these objects (N,) look like, (N, ...) each."""


class Solids:
    """Solids made of geons: as many instances of each category as there are numbers."""

    scene = Scene

    def __init__(self, settings: SceneSettings):
        self.categories = settings.categories
        self._known = list(CATEGORIES.values())[: settings.categories]
        self._first, self._count = SPLITS[settings.split] * SPLIT_STRIDE, settings.instances

    def choose(self, draws: Draws, name: str, category: np.ndarray) -> np.ndarray:
        """An instance of the split, whatever the category."""
        return self._first + draws.integers(name, self._count)

    def build(self, draws: Draws, name: str, category: np.ndarray, instance: np.ndarray) -> dict[str, np.ndarray]:
        """The fields of Objects; they depend on category and instance alone."""
        made = assemble(self._known, category, instance)
        return {item.name: getattr(made, item.name) for item in fields(Objects)}


class Episode(NamedTuple):
    """The object of each row's episode, drawn on the CPU because all other draws depend on it."""

    draws: Draws  # by keys (N,) uint64 of (world seed, episode)
    category: np.ndarray  # (N,) int64
    instance: np.ndarray  # (N,) int64


def sample_episode(
    seeds: np.ndarray, episodes: np.ndarray, settings: SceneSettings, cast: Cast | None = None
) -> Episode:
    """Draws category and instance for worlds with seeds (N,) in their episodes (N,), counted from 0.

    The cast is of solids unless another is given.
    """
    cast = cast or Solids(settings)
    draws = Draws(key("encounter", seeds, episodes))
    start, edges = beginnings(seeds, episodes, settings), settings.blocks(cast.categories)
    category = in_block(draws, "category", start, settings, edges=edges)
    return Episode(draws, category, cast.choose(draws, "instance", category))


def draw_scene(episode: Episode, settings: SceneSettings, cast: Cast | None = None) -> Scene:
    """Draws the scenes of N episodes, on the CPU, as a function of the episodes alone; as `sample_episode`."""
    cast = cast or Solids(settings)
    draws = episode.draws
    arrays = {"category": episode.category, "instance": episode.instance}
    arrays |= _objects(episode, settings, cast)
    arrays |= (motion := draw_motion(draws, settings, objects=1 + settings.occluder))
    arrays |= draw_light(draws, settings, motion)
    arrays |= _background(draws, settings)
    for name, array in arrays.items():
        arrays[name] = np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else None)
    return cast.scene(**{item.name: torch.from_numpy(arrays[item.name]) for item in fields(cast.scene)})


def _objects(episode: Episode, settings: SceneSettings, cast: Cast) -> dict[str, np.ndarray]:
    shown = [cast.build(episode.draws, "object", episode.category, episode.instance)]
    if settings.occluder:
        category = episode.draws.integers("occluder/category", cast.categories)
        instance = cast.choose(episode.draws, "occluder/instance", category)
        shown.append(cast.build(episode.draws, "occluder", category, instance))
    return {name: np.stack([one[name] for one in shown], 1) for name in shown[0]}


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
