"""A world of one's own: a square that bounces about, whose colour is its category.

python -m learners.online env=examples.bouncing_square:bouncing_square
python -m streams.record env=examples.bouncing_square:bouncing_square record.path=square.zarr record.frames=4096

A world begins episodes and renders frames; seeds, resets, resuming, recording and scoring are taken care of. What
it shows is a function of (seed, split, episode, age), so that any frame can be made again.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import envs
from envs.errors import check_choices, check_ranges
from envs.scene.random import Draws, key

COLORS = torch.tensor([[220, 60, 60], [60, 180, 60], [70, 90, 230], [220, 200, 50]], dtype=torch.uint8)


@dataclass
class BouncingSquareSettings:
    """env=examples.bouncing_square:bouncing_square"""

    name: str = "bouncing_square"  # of the world
    id: str = "BouncingSquare-v0"  # of the environment that is registered with Gymnasium
    num_worlds: int = 64  # worlds watched at once; each gives one frame a step
    size: int = 32  # pixels along an edge of the square frame
    episode_length: int = 24  # frames
    stagger: bool = True  # start worlds at different ages
    split: str = "train"  # train, validation or test; episodes of two splits differ
    width: float = 0.3  # of the square, as a share of the frame's

    def __post_init__(self):
        check_ranges(self, size=(4, 1024), episode_length=(1, 1 << 20))
        check_choices(self, split=("train", "validation", "test"))


@envs.register
class BouncingSquareVector(envs.VectorWorld):
    """N bouncing squares. Factors: category (N,); position (N, 2) of the middle, as a share of the frame."""

    settings_class = BouncingSquareSettings
    categories = len(COLORS)

    def __init__(self, num_envs: int = 1, **settings):
        super().__init__(num_envs, **settings)
        self._category = np.zeros(num_envs, np.int64)
        self._start, self._speed = np.zeros((2, num_envs, 2), np.float32)

    def _begin(self, rows: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> None:
        draws = Draws(key(self.settings.split, seeds, episodes))
        self._category[rows] = draws.integers("category", self.categories)
        self._start[rows] = draws.uniform("start", 0, 2, 2)
        self._speed[rows] = draws.uniform("speed", -0.1, 0.1, 2)

    def _render(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        start, speed = self._on_device(self._start), self._on_device(self._speed)
        half = self.settings.width / 2
        travelled = (start + speed * age[:, None]) % 2  # a triangle wave bounces
        place = half + (1 - 2 * half) * (1 - travelled).abs()  # (N, 2)
        pixels = (torch.arange(self.settings.size, device=self.device) + 0.5) / self.settings.size
        inside = ((pixels - place[..., None]).abs() < half).unbind(1)  # columns (N, W), rows (N, H)
        category = self._on_device(self._category.copy())
        color = COLORS.to(self.device)[category]
        image = (inside[1][:, :, None] & inside[0][:, None])[..., None] * color[:, None, None]
        return image, {"category": category, "position": place}
