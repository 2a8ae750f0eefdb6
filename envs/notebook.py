"""A world that moves in a notebook: `envs.show(world)`."""

import base64
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from envs.arguments import typed
from envs.images.animation import gif
from envs.images.tiles import tile

EDGE = 160  # pixels that a world shown alone has at least along an edge
WIDTH = 640  # pixels of several side by side, at most unless they are larger themselves
GAP = 2  # pixels between worlds
MOST = 16  # worlds that are shown


class Film:
    """Frames (T, h, w, 3) uint8 that a notebook shows moving: the last line of a cell is enough."""

    def __init__(self, frames: np.ndarray, *, fps: float):
        self.frames, self.fps = frames, fps

    def _repr_html_(self) -> str:
        picture = base64.b64encode(gif(self.frames, fps=self.fps)).decode()
        return f'<img src="data:image/gif;base64,{picture}" alt="{len(self.frames)} frames of a world">'

    def save(self, path: str | Path) -> Path:
        """Writes the film as a .gif and returns its path."""
        path = Path(path).expanduser()
        path.write_bytes(gif(self.frames, fps=self.fps))
        return path


@typed
def show(
    world: gym.Env | gym.vector.VectorEnv,
    *,
    steps: int = 96,
    fps: float = 20,
    act: Callable[[Any, dict[str, Any]], Any] | None = None,
    seed: int | None = 0,
) -> Film:
    """Goes through some steps of a world and returns them as a film for a notebook.

    Args:
        world: one world, or several, of which at most 16 are shown; it is reset.
        steps: frames of the film.
        fps: frames a second.
        act: from an observation and its `info` to the next action; the eye looks straight ahead where it is absent.
        seed: of the reset.

    >>> import gymnasium as gym, envs
    >>> envs.show(gym.make("MovingObjects-v0", size=32), steps=4).frames.shape
    (4, 160, 160, 3)
    """
    still = np.zeros(world.action_space.shape or (), np.float32)
    observation, info = world.reset(seed=seed)
    frames = [_picture(observation)]
    for _ in range(steps - 1):
        observation, _, terminated, truncated, info = world.step(act(observation, info) if act else still)
        if isinstance(world, gym.Env) and (terminated or truncated):
            frames.append(_picture(observation))
            observation, info = world.reset()
        frames.append(_picture(observation))
    return Film(np.stack(frames[:steps]), fps=fps)


def _picture(observation: Any) -> np.ndarray:
    """(h, w, 3) uint8: one observation (H, W, 3), or up to 16 of (N, H, W, 3) beside and below one another."""
    images = torch.as_tensor(observation).cpu().numpy()
    images = images[None] if images.ndim == 3 else images[:MOST]
    columns = math.ceil(math.sqrt(len(images)))
    blank = np.full((-len(images) % columns, *images.shape[1:]), 255, np.uint8)
    grid = np.concatenate([images, blank]).reshape(-1, columns, *images.shape[1:])
    scale = max(1, min(math.ceil(EDGE / images.shape[1]), WIDTH // (columns * images.shape[2])))
    return tile(grid, scale=scale, gap=GAP)
