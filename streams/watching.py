"""Any vector environment of images as a source of Frames, also those that are no worlds of ours."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from envs.errors import SettingError
from streams.types import Frames

Policy = Callable[[Any, int], Any]  # observations and the number of the step to actions


class Watched(Iterator[Frames]):
    """Frames of a Gymnasium vector environment whose observations are images, or whose `render` gives them.

    Args:
        world: whose observations are (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8, arrays or tensors; of any other,
            what `render()` returns is shown.
        seed: of the first reset and of the actions.
        policy: actions from (observations, step); by default they are drawn from the action space.
        device: where the frames are put.

    Numbers in `info` with one row a world become factors. Its state cannot be saved.

    Raises:
        SettingError: neither observations nor `render()` are images.
    """

    def __init__(
        self,
        world: gym.vector.VectorEnv,
        *,
        seed: int = 0,
        policy: Policy | None = None,
        device: torch.device | str = "cpu",
    ):
        self.world, self.seconds, self.step = world, 0.0, -1
        self._seed, self._policy, self._device = seed, policy, torch.device(device)
        space = world.single_observation_space
        self._observed = isinstance(space, gym.spaces.Box) and space.dtype == np.uint8 and _is_image(space.shape)
        if not self._observed and world.render_mode != "rgb_array":
            raise SettingError(
                f"observations of {type(world.unwrapped).__name__} are {space}, no images (H, W, 3) uint8; make "
                'it with render_mode="rgb_array", and what it renders is shown'
            )
        self._mode = world.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._episode = torch.arange(world.num_envs)
        self._over = np.zeros(world.num_envs, bool)  # whose episode ended with the last frame
        self._next = world.num_envs  # number of the next episode
        self._observations: Any = None
        world.action_space.seed(seed)

    def __next__(self) -> Frames:
        start = perf_counter()
        if self.step < 0:
            self._observations, info = self.world.reset(seed=self._seed)
        else:
            info = self._go_on()
        self.step += 1
        images = self._images()
        self.seconds += perf_counter() - start
        return Frames(images, self._episode.clone(), self.step, self._factors(info))

    def _go_on(self) -> dict[str, Any]:
        actions = self._policy(self._observations, self.step) if self._policy else self.world.action_space.sample()
        self._observations, _, terminated, truncated, info = self.world.step(actions)
        over = np.asarray(torch.as_tensor(terminated).cpu()) | np.asarray(torch.as_tensor(truncated).cpu())
        if self._mode is AutoresetMode.NEXT_STEP:
            self._begin(self._over)
        else:  # the frame after an end is the next episode's already, or is asked for
            if self._mode is AutoresetMode.DISABLED and over.any():
                self._observations, info = self.world.reset(options={"reset_mask": over})
            self._begin(over)
        self._over = over
        return info

    def _begin(self, rows: np.ndarray) -> None:
        """Gives the worlds (N,) chosen numbers of new episodes."""
        count = int(rows.sum())
        self._episode[torch.from_numpy(rows)] = torch.arange(self._next, self._next + count)
        self._next += count

    def _images(self) -> Tensor:
        shown = self._observations if self._observed else np.stack(cast(Any, self.world.render()))
        images = torch.as_tensor(shown).to(self._device)
        if images.ndim == 3:
            images = images[..., None]
        return images.expand(-1, -1, -1, 3) if images.shape[-1] == 1 else images.clone()  # which a world may reuse

    def _factors(self, info: dict[str, Any]) -> dict[str, Tensor]:
        factors = {}
        for name, value in info.items():
            numeric = isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "iufb")
            if numeric and len(value.shape) and value.shape[0] == self.world.num_envs and not name.startswith("_"):
                factors[name] = torch.as_tensor(value)
        return factors

    def state_dict(self) -> dict[str, Any]:
        """Raises SettingError: other environments cannot be asked where they are."""
        raise SettingError(f"{type(self.world.unwrapped).__name__} has no state to save; see envs.check_world")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises SettingError, as `state_dict`."""
        self.state_dict()

    def close(self) -> None:
        """Leaves the environment open: whoever made it closes it."""


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
