"""A stream on its way to whoever watches it, written down: python -m streams.record

python -m streams.record env=moving_objects record.path=walk.zarr record.frames=100_000
python -m streams.record env=moving_objects env.size=64 seed=3 stream.gaze=pursuit record.path=walk.zarr

The same command again goes on where the recording ended.
"""

import sys
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from rich.console import Console
from torch import Tensor

from envs.devices import device
from envs.errors import SettingError
from envs.gaze import gaze
from envs.settings import read
from streams.commands import Bar, Stop, guarded
from streams.live import Live
from streams.types import Frames
from streams.writer import Writer


@dataclass
class RecordSettings:
    """Where to, and how much"""

    path: str | None = None  # a folder, new or of a recording to go on with, or any fsspec URL
    frames: int = 65_536  # world frames to have in the end


@dataclass
class GazeSettings:
    """What the eye does"""

    gaze: str = "fixed"  # fixed, pursuit or saccades


class Recorded:
    """Another source's frames, which are recorded as they pass.

    Its state is the source's, and taking it commits what has passed: whoever saves that state can go on from it with
    the recording exact. A resumed source has its recording cut back to where it goes on.
    """

    def __init__(self, source: Live, path: str, about: dict[str, Any], *, setting: str = "stream.record"):
        self.source, self.writer = source, Writer(path, about, setting=setting)
        self._resumed = self._open = False

    def __iter__(self) -> "Recorded":
        return self

    def __next__(self) -> Frames:
        if not self._open:
            self.open()
        frames = next(self.source)
        self.writer.add(frames)
        if self.writer.full:
            self.writer.commit(as_plain(self.source.state_dict()), wait=False)
        return frames

    @property
    def seconds(self) -> float:
        """Spent in the source."""
        return self.source.seconds

    @property
    def step(self) -> int:
        """Of the frames last yielded."""
        return self.source.step

    def open(self) -> None:
        """Takes the lock, and the recording up where the source is. Raises SettingError as `Writer.open`."""
        state = as_plain(self.source.state_dict())
        self.writer.open(fresh=not self._resumed, cut_to=self.source.step + 1 if self._resumed else None, state=state)
        self._open = True

    def go_on(self) -> None:
        """Takes the source to where the recording ended."""
        facts = self.writer.open()
        if facts and facts["committed"]:
            if facts.get("state") is None:
                raise SettingError(f"{self.writer.path} does not say how its world would go on; choose another path")
            next(self.source)  # so that it has a state, as which the other must be
            try:
                state = as_tensors(facts["state"])
                if not alike(state, self.source.state_dict()) or state["step"] != facts["committed"] - 1:
                    raise ValueError("it is of another kind")
                self.source.load_state_dict(state)
            except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
                raise SettingError(
                    f"{self.writer.path} says what its world cannot go on from ({type(error).__name__}); it was altered"
                ) from error
        self._open = True

    def state_dict(self) -> dict[str, Any]:
        """The source's, once all that has passed is recorded for good."""
        state = self.source.state_dict()
        if self._open:
            self.writer.commit(as_plain(state))
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next frames, and the next to be recorded, are those that followed the saved ones."""
        self.source.load_state_dict(state)
        self._resumed = True

    def close(self) -> None:
        """Lets go of the recording."""
        self.writer.close()


STATE_TYPES = {
    str(kind).removeprefix("torch."): kind for kind in (torch.float32, torch.float64, torch.int64, torch.bool)
}


def as_plain(state: Any) -> Any:
    """State as JSON can hold it, to the bit."""
    if isinstance(state, Tensor):
        return {"tensor": state.tolist(), "type": str(state.dtype).removeprefix("torch.")}
    return {name: as_plain(value) for name, value in state.items()} if isinstance(state, dict) else state


def as_tensors(state: Any) -> Any:
    """The inverse of `as_plain`."""
    if isinstance(state, dict) and state.keys() == {"tensor", "type"}:
        return torch.tensor(state["tensor"], dtype=STATE_TYPES[state["type"]])
    return {name: as_tensors(value) for name, value in state.items()} if isinstance(state, dict) else state


def alike(state: Any, known: Any) -> bool:
    """Whether one state is as another, but for its numbers: tensors of the same types and shapes by the same names."""
    if type(state) is not type(known):
        return False
    if isinstance(known, dict):
        return state.keys() == known.keys() and all(alike(state[name], known[name]) for name in known)
    if isinstance(known, list):
        return len(state) == len(known) and all(alike(*both) for both in zip(state, known, strict=True))
    return not isinstance(known, Tensor) or (state.dtype, state.shape) == (known.dtype, known.shape)


def record(overrides: list[str]) -> int:
    """Records what the overrides ask for; the exit status."""
    told = read(overrides, {"record": RecordSettings(), "stream": GazeSettings(), "seed": 0, "device": "auto"})
    env, path, frames = told["env"], told["record"]["path"], told["record"]["frames"]
    if not path:
        raise SettingError("record.path is not given; say where to, as in record.path=walk.zarr")
    if frames < 1:
        raise SettingError(f"record.frames={frames} is nothing to record; try 65_536")
    gaze(told["stream"]["gaze"])
    settings = {name: value for name, value in env.items() if name not in ("name", "id", "num_worlds")}
    world = gym.make_vec(env["id"], num_envs=env["num_worlds"], device=device(told["device"]), **settings)
    live = Live(world, seed=told["seed"], gaze=told["stream"]["gaze"])
    about = {"env": env, "seed": told["seed"], "gaze": told["stream"]["gaze"]}
    worlds, steps = env["num_worlds"], -(-frames // env["num_worlds"])
    with closing(Recorded(live, path, about, setting="record.path")) as recorded, Stop("step") as stop:
        recorded.go_on()
        with Bar(Console(), done=(live.step + 1) * worlds, total=steps * worlds) as bar:
            while live.step + 1 < steps and not stop:
                next(recorded)
                bar.show((live.step + 1) * worlds)
            recorded.state_dict()
    done = live.step + 1
    print(f"{path}: {done * worlds:,} frames, {done:,} steps of {worlds} worlds")  # noqa: T201
    if done < steps:
        print("stopped and saved; the same command goes on from there")  # noqa: T201
        return 128 + stop.came
    said = f"stream=replay stream.path={path} run.frames={done * worlds}"
    print(f"try next: python -m learners.online {said}")  # noqa: T201
    return 0


def main() -> None:
    """The command."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)  # noqa: T201
        return
    stopped = "what is committed is kept, and the same command goes on from there"
    crowded = "try a smaller env.num_worlds or env.size"
    sys.exit(guarded(record, sys.argv[1:], place="record.path", stopped=stopped, crowded=crowded))


if __name__ == "__main__":
    main()
