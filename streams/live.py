"""A live world as a source of Frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

import gymnasium as gym
from torch import Tensor

import envs  # noqa: F401  registers the worlds
from envs.base import VectorWorld
from envs.contract import WAY_OUT, missing
from envs.errors import SettingError
from envs.gaze import gaze as gaze_of
from streams.process.ranks import Ranks
from streams.seeding import seed_of
from streams.types import Frames


@dataclass
class GazeSettings:
    """What the eye does"""

    gaze: str = "fixed"  # what the eye does: fixed, pursuit (it follows the object) or saccades (it jumps about it)


@dataclass
class LiveSettings(GazeSettings):
    """stream=live"""

    name: str = "live"  # of the source: stream=NAME
    record: str | None = None  # where the frames are recorded: a new folder or any fsspec URL


class Live(Iterator[Frames]):
    """Frames of N parallel worlds, one step at a time.

    `world` comes from `gymnasium.make_vec`; of several ranks, each shows as many, the ones after those of the rank
    before, as one process would show them all. The seeds of its worlds are functions of (seed, number of the world), so
    that two runs with different seeds share no world.

    Raises SettingError: an environment that lacks what a world has.
    """

    def __init__(
        self, world: gym.vector.VectorEnv, *, seed: int, gaze: str = GazeSettings.gaze, ranks: Ranks | None = None
    ):
        lacks = missing(world)
        if lacks:
            raise SettingError(f"{type(world.unwrapped).__name__} is no world: it lacks {', '.join(lacks)}; {WAY_OUT}")
        self.world = cast(VectorWorld, world.unwrapped)
        ranks = ranks or Ranks()
        self._first, self._worlds = ranks.rank * world.num_envs, ranks.size * world.num_envs  # of all ranks
        self.seeds = [seed_of(seed, "world", self._first + number) for number in range(world.num_envs)]
        self.step = -1  # of the frames last yielded
        self.seconds = 0.0  # spent in the world so far
        self._gaze, self._seed = gaze_of(gaze, self.world), seed_of(seed, "gaze")
        self._shift: Tensor  # (N, 2) of the gaze at the next step

    def __next__(self) -> Frames:
        start = perf_counter()
        if self.step < 0:
            images, info = self.world.reset(seed=self.seeds)
        else:
            images, *_, info = self.world.step(self._shift)
        self.step += 1
        self._shift = self._gaze(self._seed, self.step, info | {"first_world": self._first})
        self.seconds += perf_counter() - start
        factors = {name: value for name, value in info.items() if name != "episode_id"}
        return Frames(images, self._numbered(info["episode_id"]), self.step, factors)

    def _numbered(self, episode: Tensor) -> Tensor:
        """The numbers (N,) that episodes have among those of all ranks' worlds."""
        own = self.world.num_envs
        return episode if own == self._worlds else episode // own * self._worlds + self._first + episode % own

    def state_dict(self) -> dict[str, Any]:
        """Returns the step and the world's state; only the step before the first frame."""
        if self.step < 0:
            return {"step": self.step}
        return {"step": self.step, "world": self.world.state_dict(), "shift": self._shift.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the frames that followed the saved ones."""
        self.step = state["step"]
        if self.step >= 0:
            self.world.load_state_dict(state["world"])
            self._shift = state["shift"].to(self.world.device)

    def close(self) -> None:
        """Does nothing: a live source has nothing open."""
