"""Counting-v0: a world whose pixels encode seed, episode and age, to test whatever handles frames.

The first eleven bytes of a frame are the seed's low 4 bytes, the episode's 4 and the age's 3, lowest first. The rest is
a pattern of the category (easily learnt), the episode (so that episodes differ) and the age (so that frames differ).
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from envs.base import SingleWorld, VectorWorld
from envs.errors import check_choices, check_ranges
from envs.scene.random import Draws, key
from envs.scene.settings import SPLITS

CATEGORY_COUNT = 4
STRENGTH = {"category": 90, "episode": 60, "age": 30}  # grey levels that each may add


@dataclass
class CountingSettings:
    """env=counting, the world of the tests"""

    name: str = "counting"  # of the world: env=NAME
    id: str = "Counting-v0"  # of the environment that is registered with Gymnasium
    num_worlds: int = 16  # worlds watched at once; each gives one frame a step
    size: int = 32  # pixels along an edge of the square frame
    episode_length: int = 16  # frames
    stagger: bool = True  # start worlds at different ages
    split: str = "train"  # train, validation or test; episodes of two splits differ

    def __post_init__(self):
        check_ranges(self, size=(4, 1024), episode_length=(1, 1 << 20))  # which there is room to count in
        check_choices(self, split=SPLITS)


class CountingVector(VectorWorld):
    """N counting worlds. Factors: category (N,), age (N,), seed (N,) modulo 2^31."""

    settings_class = CountingSettings
    categories = CATEGORY_COUNT

    def __init__(self, num_envs: int = 1, **settings):
        super().__init__(num_envs, **settings)
        self.category = np.zeros(num_envs, np.int64)

    def _begin(self, rows: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> None:
        self.category[rows] = Draws(key(self.settings.split, seeds, episodes)).integers("category", CATEGORY_COUNT)

    def _render(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        shape = self.settings.size, self.settings.size, 3
        parts = (
            Draws(keys).uniform("pattern", 0, STRENGTH[name], np.prod(shape))
            for name, keys in (
                ("category", key("category", self.category)),
                ("episode", key(self.settings.split, self.seeds, self.episode)),
                ("age", key("age", self.age)),
            )
        )
        pixels = sum(parts, np.zeros(1)).astype(np.uint8)
        for first, number, digits in ((0, self.seeds, 4), (4, self.episode, 4), (8, self.age, 3)):
            shift = 8 * np.arange(digits, dtype=np.uint64)
            pixels[:, first : first + digits] = number.astype(np.uint64)[:, None] >> shift & 255
        image = self._on_device(pixels.reshape(self.num_envs, *shape))
        seed = (self.seeds % 2**31).astype(np.int64)
        factors = {"category": self.category.copy(), "age": self.age.copy(), "seed": seed}
        return image, {name: self._on_device(value) for name, value in factors.items()}


class Counting(SingleWorld):
    """One counting world."""

    vector_world = CountingVector


def spelt(images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Reads seed modulo 2^32, episode and age, each (...) int64, from frames (..., H, W, 3) uint8."""
    digits = images.reshape(*images.shape[:-3], -1)[..., :11].astype(np.int64)
    parts = digits[..., 0:4], digits[..., 4:8], digits[..., 8:11]
    return tuple((part << (8 * np.arange(part.shape[-1]))).sum(-1) for part in parts)
