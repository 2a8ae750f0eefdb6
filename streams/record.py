"""Records a world: python -m streams.record

python -m streams.record env=moving_objects record.path=walk.zarr record.frames=100_000
python -m streams.record env=moving_objects env.size=64 seed=3 stream.gaze=pursuit record.path=walk.zarr

The same command again goes on where the recording ended.
"""

import shlex
import sys
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from envs.command.help import help_text
from envs.devices import device
from envs.errors import SettingError
from envs.gaze import gaze as gaze_of
from envs.settings import make_world, read
from streams.live import GazeSettings, Live
from streams.process.errors import guarded
from streams.process.progress import Bar
from streams.process.signals import Stop
from streams.process.terminal import Terminal, visible
from streams.sources import recorded


@dataclass
class RecordSettings:
    """Where to, and how much"""

    path: str | None = None  # a folder, new or of a recording to go on with, or any fsspec URL
    frames: int = 65_536  # world frames to have in the end


@dataclass
class Settings:
    """All settings of the command"""

    env: Any = MISSING  # the dataclass of one of envs.worlds.WORLDS
    record: RecordSettings = field(default_factory=RecordSettings)  # record.NAME
    stream: GazeSettings = field(default_factory=GazeSettings)  # stream.NAME
    seed: int = 0  # of the world
    device: str = "auto"  # cpu, cuda, cuda:1, ..., or auto: cuda where there is one


def record(overrides: list[str]) -> int:
    """Records what the overrides ask for; returns the exit status."""
    settings = read(Settings, overrides)
    env, path, frames, gaze = settings.env, settings.record.path, settings.record.frames, settings.stream.gaze
    if not path:
        raise SettingError("record.path is not given; say where to, as in record.path=walk.zarr")
    if frames < 1:
        raise SettingError(f"record.frames={frames} is nothing to record; try 65_536")
    gaze_of(gaze)
    live = Live(make_world(env, device=device(settings.device)), seed=settings.seed, gaze=gaze)
    worlds, steps = env.num_worlds, -(-frames // env.num_worlds)
    source = recorded(live, path, env, seed=settings.seed, gaze=gaze, setting="record.path")
    with closing(source), Stop("step") as stop:
        source.go_on()
        with Bar(Terminal(), done=(live.step + 1) * worlds, total=steps * worlds) as bar:
            while live.step + 1 < steps and not stop:
                next(source)
                bar.show((live.step + 1) * worlds)
            source.state_dict()
    done = live.step + 1
    print(f"{visible(path)}: {done * worlds:,} frames, {done:,} steps of {worlds} worlds")  # noqa: T201
    if done < steps:
        print("stopped and saved; the same command goes on from there")  # noqa: T201
        return 128 + stop.signal
    replay = shlex.join(["stream=replay", f"stream.path={path}", f"run.frames={done * worlds}"])
    print(f"try next: python -m learners.online {replay}")  # noqa: T201
    return 0


def main() -> None:
    """Runs the command on the process's arguments."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        settings = [
            help_text(RecordSettings, prefix="record."),
            help_text(GazeSettings, prefix="stream."),
            help_text(Settings, leave_out=("env", "record", "stream")),
            "  env=NAME, and env.SETTING=... as python -m learners.online --list env=NAME lists them",
        ]
        print("\n".join([__doc__ or "", "settings:", *settings]))  # noqa: T201
        return
    stopped = "what is committed is kept, and the same command goes on from there"
    crowded = "try a smaller env.num_worlds or env.size"
    sys.exit(guarded(record, sys.argv[1:], place="record.path", stopped=stopped, crowded=crowded))


if __name__ == "__main__":
    main()
