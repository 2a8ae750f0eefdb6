"""Drift over a world's whole life: categories in blocks, day and night; once, or recurring.

A schedule divides a world's time, counted in steps since it began, into phases. It is a function of that time alone, so
a world can be shown at any moment without having lived through those before it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from envs.errors import Needs, SettingError, check_choices
from envs.scene.random import Draws, key

SCHEDULES = ("none", "categories", "day_night")
NIGHT = -3.0  # stops of light at midnight, where noon has 0


@dataclass
class DriftSettings:
    """The settings of a world that drifts."""

    needs: ClassVar[Needs] = {
        "phases": ("drift", ("categories",)),
        "phase_length": ("drift", SCHEDULES[1:]),
        "recurring": ("drift", SCHEDULES[1:]),
    }

    drift: str = "none"  # none, categories (a block of them a phase) or day_night (light that comes and goes)
    phases: int = 4  # blocks that the categories are shared out to
    phase_length: int = 4_800  # steps of each world that a phase lasts; a day and a night are two phases
    recurring: bool = True  # whether the first phase follows the last one; otherwise the last one stays

    def check(self, *, categories: int) -> None:
        """Raises SettingError for values that cannot work with this number of categories."""
        check_choices(self, drift=SCHEDULES)
        if self.phase_length < 1:
            raise SettingError(f"env.phase_length={self.phase_length} is too short; try 1 step or more")
        if self.phases < 1 or (self.drift == "categories" and self.phases > categories):
            raise SettingError(f"env.phases={self.phases} cannot share out {categories} categories; try {categories}")

    def blocks(self, categories: int) -> np.ndarray:
        """The first of each block of categories, and their number; all are one block unless they drift."""
        return block_edges(categories, phases=self.phases if self.drift == "categories" else 1)


def first_age(seeds: np.ndarray, settings) -> np.ndarray:
    """(N,) int64: the age in steps at which each world's first episode begins; 0 unless staggered."""
    if not settings.stagger:
        return np.zeros(len(seeds), np.int64)
    return Draws(key("stagger", seeds)).uniform("age", 0, settings.episode_length).astype(np.int64)


def beginnings(seeds: np.ndarray, episodes: np.ndarray, settings) -> np.ndarray:
    """(N,) int64: the world's time at age 0 of its episodes; negative where the first one began before the world."""
    return episodes * settings.episode_length - first_age(seeds, settings)


def phase_of(start: np.ndarray, age: np.ndarray, settings: DriftSettings) -> np.ndarray:
    """(N,) int64: the phase of frames of this age in episodes that began at times (N,).

    An episode belongs to the block of categories in which it began, whereas the light changes under it.
    """
    return phase_at(start if settings.drift == "categories" else start + age, settings)


def phase_at(time: np.ndarray, settings: DriftSettings) -> np.ndarray:
    """(N,) int64: the phase at times (N,) in steps; 0 throughout where nothing drifts."""
    count = {"none": 1, "categories": settings.phases, "day_night": 2}[settings.drift]
    number = np.maximum(time, 0) // settings.phase_length
    return number % count if settings.recurring else np.minimum(number, count - 1)


def block_edges(categories: int, *, phases: int) -> np.ndarray:
    """(phases + 1,) int64: the first category of each phase's block, and the number of categories."""
    return np.arange(phases + 1) * categories // phases


def in_block(draws: Draws, name: str, start: np.ndarray, settings: DriftSettings, *, edges: np.ndarray) -> np.ndarray:
    """(N,) int64, uniform between the `edges` of the block that episodes which begin at times (N,) are of."""
    block = phase_at(start, settings) if settings.drift == "categories" else 0
    return edges[block] + draws.integers(name, edges[block + 1] - edges[block])


def stops_at(time: np.ndarray, settings: DriftSettings) -> np.ndarray:
    """(N,) float64: what day and night add to the light, in stops; NIGHT at midnight."""
    if settings.drift != "day_night":
        return np.zeros(len(time))
    half_days = np.maximum(time, 0) / settings.phase_length
    if not settings.recurring:
        half_days = np.minimum(half_days, 1.5)  # midnight stays
    return NIGHT * (1 - np.sin(np.pi * half_days)) / 2
