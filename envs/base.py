"""The Gymnasium interface of all worlds: N of them as a vector environment on one device, or one of them as an `Env`.

An episode shows one object and lasts `episode_length` frames; its last frame comes with `truncated`,
and the next step, whatever the action, shows the first frame of the next episode (Gymnasium's NEXT_STEP autoreset).
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from envs.arguments import fitting, typed
from envs.devices import device as device_of
from envs.devices import upload
from envs.errors import SettingError, no_such, unknown
from envs.scene.drift import first_age

MAX_GAZE = 0.5  # half-widths of the view that the eye can look to each side


class VectorWorld(VectorEnv):
    """N worlds as tensors on a device. A concrete world starts episodes (`_begin`) and renders frames (`_render`).

    Observations are (N, H, W, 3) uint8 tensors on the device. The action is a gaze shift (N, 2) in [-1, 1]: right and
    up, 1 being MAX_GAZE; the eye stays where it looks until the next shift, and looks straight ahead when an episode
    begins. Rewards (N,) are 0 unless a world says otherwise, in numpy on a CPU, a tensor on a GPU.
    `info` holds the ground truth of the frame, a tensor (N, ...) for each factor, and
    `episode_id` (N,) int64 on the CPU: which episode a frame shows, unique over worlds and time.

    World i's episode k is a function of (seed + i, k), so it is the same for every N, on every device.

    Args:
        autoreset_mode: what follows an episode's last frame, as Gymnasium has it: NEXT_STEP; SAME_STEP, where `info`
            holds it as `final_obs`, its ground truth as `final_info`, and which worlds have one as `_final_obs`; or
            DISABLED, where `reset(options={"reset_mask": mask})` has to come before the next step.
        max_episode_steps: steps of an episode, in place of `episode_length`, which counts frames.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012
    settings_class: type  # the dataclass of its settings, each of which is a keyword
    categories: int  # how many there are
    kinds: np.ndarray | None = None  # (K,) the label of each, in rising order, where that isn't 0, 1, 2, ...
    category_names: Sequence[str] = ()  # (K,) what each is called, where that is known
    has_bearing = False  # whether it says where its object is, for a gaze to follow

    @typed
    def __init__(
        self,
        num_envs: int = 1,
        *,
        device: torch.device | str = "cpu",
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **settings,
    ):
        if num_envs < 1:
            raise SettingError(f"env.num_worlds={num_envs} shows nothing; try 1 or more")
        if render_mode not in (None, "rgb_array"):
            raise unknown("render_mode", render_mode, ["rgb_array"])
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = self.metadata | {"autoreset_mode": self.autoreset_mode}
        known = {field.name: field.type for field in fields(self.settings_class)}
        for name, value in settings.items():
            if name not in known:
                raise no_such(name, known)
            settings[name] = fitting(name, value, known[name])
        if max_episode_steps is not None:
            settings["episode_length"] = max_episode_steps + 1
        # Who makes a world with Gymnasium expects reset() to begin an episode. Only the commands, which read all
        # settings from the dataclass, want worlds that do not all change objects at once.
        self.settings = self.settings_class(**{"stagger": False, **settings})
        size = self.settings.size
        self.num_envs, self.render_mode = num_envs, render_mode
        there = isinstance(device, torch.device) and device.type != "cuda"
        self.device = torch.device(device) if there else device_of(device)
        self.single_observation_space = gym.spaces.Box(0, 255, (size, size, 3), np.uint8)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.episode_length = self.settings.episode_length
        self.seeds = np.zeros(0, np.uint64)  # (N,), once reset
        self.episode = np.zeros(num_envs, np.int64)
        self.age = np.zeros(num_envs, np.int64)
        self.gaze = torch.zeros(num_envs, 2, device=self.device)
        self._image: Tensor  # (N, H, W, 3) uint8, the last frames

    def _begin(self, rows: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> None:
        """Starts episodes (m,) in rows (m,) of worlds with seeds (m,)."""
        raise NotImplementedError

    def _render(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Renders the worlds at ages (N,) float: images (N, H, W, 3) uint8 and factors (N, ...)."""
        raise NotImplementedError

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """Begins an episode in all worlds: the first one where a seed is given, otherwise the next one.

        `options={"reset_mask": mask}`, (N,) bool, begins it in those worlds alone. Raises ValueError: other options, or
        no such mask.
        """
        chosen = self._reset_mask(options)
        if seed is not None or not len(self.seeds):
            seeds = self._seeded(seed)
            self.seeds = np.where(chosen, seeds, self.seeds) if len(self.seeds) else seeds
            self.episode[chosen] = 0
        else:
            self.episode[chosen] += 1
        self.age[chosen] = first_age(self.seeds, self.settings)[chosen]
        self._begin(np.arange(self.num_envs), self.seeds, self.episode)
        self._look_ahead(np.flatnonzero(chosen))
        return self._observe()

    def step(self, actions) -> tuple[Tensor, Any, np.ndarray, np.ndarray, dict[str, Any]]:
        """Moves the eyes by actions (N, 2) and shows the next frames.

        Raises ValueError: actions of another shape, or NaN; on a GPU, which nothing waits for, a NaN moves nothing.
        """
        if not len(self.seeds):
            raise gym.error.ResetNeeded("no world has begun; call reset() before step()")
        if self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any():
            over = np.flatnonzero(self._ended).tolist()
            raise gym.error.ResetNeeded(f"worlds {over} have ended; reset them with options={{'reset_mask': ...}}")
        self.gaze = (self.gaze + MAX_GAZE * self._shifts(actions)).clamp(-MAX_GAZE, MAX_GAZE)
        self.age += 1
        self._go_on(np.flatnonzero(self.age >= self.episode_length))
        image, info = self._observe()
        reward, truncated = self._reward(info), self._ended
        if self.autoreset_mode is AutoresetMode.SAME_STEP and truncated.any():
            final = {"final_obs": image, "final_info": info, "_final_obs": truncated, "_final_info": truncated}
            self._go_on(np.flatnonzero(truncated))
            image, info = self._observe()
            info |= final
        return image, reward, np.zeros(self.num_envs, bool), truncated, info

    def _reward(self, info: dict[str, Any]) -> Any:
        """The rewards (N,) of the step that led to a frame with this ground truth."""
        return np.zeros(self.num_envs)

    @property
    def _ended(self) -> np.ndarray:
        """Which worlds (N,) show the last frame of their episode."""
        return self.age == self.episode_length - 1

    def _go_on(self, over: np.ndarray) -> None:
        """Begins the next episode in worlds (m,), whose present one is over."""
        if len(over):
            self.episode[over] += 1
            self.age[over] = 0
            self._look_ahead(over)
            self._begin(over, self.seeds[over], self.episode[over])

    def _look_ahead(self, rows: np.ndarray) -> None:
        """Lets the eyes of worlds (m,) look straight ahead; not in place, since the last gaze was handed out."""
        self.gaze = self.gaze.index_fill(0, self._on_device(rows), 0)

    def _shifts(self, actions: Any) -> Tensor:
        """The actions (N, 2) as a tensor on the device. Raises ValueError: another shape, or NaN."""
        shift = torch.as_tensor(actions, dtype=torch.float32)
        if shift.shape != (self.num_envs, 2):
            raise ValueError(f"actions of shape {tuple(shift.shape)} were given; a gaze shift is ({self.num_envs}, 2)")
        if shift.device.type == "cpu":
            if shift.isnan().any():
                raise ValueError(f"action {actions} is not a number, and would stay in the gaze; give numbers")
            return shift.to(self.device, non_blocking=True)
        return shift.to(self.device).nan_to_num(nan=0.0)

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Returns the last frames, (H, W, 3) uint8 each, where render_mode is rgb_array."""
        return tuple(self._image.cpu().numpy()) if self.render_mode == "rgb_array" else None

    def __reduce__(self) -> tuple:
        """A copy, in this process or another, is made from settings and state: kernels and meshes cannot be copied."""
        given = {one.name: getattr(self.settings, one.name) for one in fields(self.settings_class)}
        given |= {"device": str(self.device), "render_mode": self.render_mode, "autoreset_mode": self.autoreset_mode}
        extra = {name: vars(self)[name] for name in ("spec", "_np_random", "_np_random_seed") if name in vars(self)}
        return _again, (type(self), self.num_envs, given, self.state_dict() if len(self.seeds) else None, extra)

    def state_dict(self) -> dict[str, Any]:
        """Returns all that is needed to go on bit for bit."""
        counts = {name: getattr(self, name).tolist() for name in ("seeds", "episode", "age")}
        return counts | {"gaze": self.gaze.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts the worlds where they were; the next step goes on from there."""
        self.seeds = np.array(state["seeds"], np.uint64)
        self.episode[:], self.age[:] = state["episode"], state["age"]
        self.gaze = state["gaze"].to(self.device)
        self._begin(np.arange(self.num_envs), self.seeds, self.episode)

    def _observe(self) -> tuple[Tensor, dict[str, Any]]:
        age = self._on_device(self.age.astype(np.float32))
        self._image, factors = self._render(age)
        episode = torch.from_numpy(self.episode * self.num_envs + np.arange(self.num_envs))
        return self._image, {"episode_id": episode, "gaze": self.gaze, **factors}

    def _on_device(self, array: np.ndarray) -> Tensor:
        return upload(torch.from_numpy(array), self.device)

    def _reset_mask(self, options: dict[str, Any] | None) -> np.ndarray:
        """Which worlds (N,) the options of a reset choose."""
        for name in options or {}:
            if name != "reset_mask":
                raise ValueError(f"options={{{name!r}: ...}} is no option of a reset; known: reset_mask")
        if not options:
            return np.ones(self.num_envs, bool)
        mask = np.asarray(torch.as_tensor(options["reset_mask"]).cpu())
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ValueError(
                f"options['reset_mask'] is {mask.dtype} {mask.shape}, {mask.sum()} of them chosen; give "
                f"({self.num_envs},) bool, at least one of them true"
            )
        if not len(self.seeds) and not mask.all():
            raise gym.error.ResetNeeded("no world has begun; call reset() of all of them first")
        return mask

    def _seeded(self, seed: int | list[int] | None) -> np.ndarray:
        if seed is None:
            seed = int(self.np_random.integers(1 << 62))
        if isinstance(seed, int | np.integer):
            if seed < 0:
                raise ValueError(f"seed={seed} is no seed; give a number from 0 up")
            self._np_random, self._np_random_seed = gym.utils.seeding.np_random(int(seed))
            return np.uint64(seed) + np.arange(self.num_envs, dtype=np.uint64)
        if len(seed) != self.num_envs:
            raise ValueError(
                f"{len(seed)} seeds were given for {self.num_envs} worlds; give one number, or one a world"
            )
        if not all(isinstance(one, int | np.integer) and one >= 0 for one in seed):
            raise ValueError(f"seed={seed} holds what is no seed; give numbers from 0 up")
        self._np_random = np.random.default_rng([int(one) for one in seed])
        self._np_random_seed: Any = tuple(map(int, seed))  # as of Gymnasium's own vectors
        return np.array(seed, np.uint64)


def _again(
    world: type[VectorWorld], count: int, given: dict[str, Any], state: dict[str, Any] | None, extra: dict[str, Any]
) -> VectorWorld:
    """The world that was copied or pickled."""
    copy = world(count, **given)
    vars(copy).update(extra)
    if state is not None:
        copy.load_state_dict(state)
        copy._observe()  # so that it has a last frame to render
    return copy


class SingleWorld(gym.Env):
    """One world as Gymnasium's `Env`: numpy observations (H, W, 3) uint8, numpy ground truth in `info`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012
    vector_world: type[VectorWorld]

    def __init__(self, *, render_mode: str | None = None, **settings):
        self._world = self.vector_world(num_envs=1, render_mode=render_mode, **settings)
        self.render_mode = render_mode
        self.observation_space = self._world.single_observation_space
        self.action_space = self._world.single_action_space

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode as `VectorWorld.reset` does: its first frame (H, W, 3) uint8 and the ground truth."""
        if options:
            raise ValueError(f"options={options} is unknown: a reset has none")
        super().reset(seed=seed)
        if seed is None and not len(self._world.seeds):
            seed = int(self.np_random.integers(1 << 62))
        images, info = self._world.reset(seed=seed)
        return images[0].cpu().numpy(), _first(info)

    def step(self, action) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Moves the eye by an action (2,) and shows the next frame (H, W, 3) uint8."""
        images, reward, terminated, truncated, info = self._world.step(np.asarray(action)[None])
        return images[0].cpu().numpy(), float(reward[0]), bool(terminated[0]), bool(truncated[0]), _first(info)

    def render(self) -> np.ndarray | None:
        """Returns the last frame (H, W, 3) uint8 where render_mode is rgb_array."""
        frames = self._world.render()
        return None if frames is None else frames[0]


def _first(info: dict[str, Tensor]) -> dict[str, Any]:
    rows = {name: value[0].cpu().numpy() for name, value in info.items()}
    return {name: row if row.ndim else row.item() for name, row in rows.items()}
