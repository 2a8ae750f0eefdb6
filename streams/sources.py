"""Where frames come from: a live world, recorded on the way or not, or recordings shown again."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import gymnasium as gym
import torch

import envs  # noqa: F401  registers the worlds
from envs.errors import SettingError, no_such
from envs.settings import world
from streams.live import Live
from streams.recording.reader import Recording
from streams.recording.recorder import Recorded
from streams.replay.mixing import opened, shares
from streams.replay.orders import OrderSettings
from streams.replay.sequential import Replay
from streams.replay.shuffled import ShuffledReplay

Source = Live | Recorded | Replay  # iterators of Frames with state_dict, load_state_dict, close, step and seconds


@dataclass
class ImportedSettings:
    """What stands for a world's settings in a recording of pictures or videos."""

    name: str = "imported"
    id: str = ""  # no world can be made of it
    num_worlds: int = 1
    size: int = 32
    episode_length: int = 1  # of the longest


def open_source(
    env: dict[str, Any],
    *,
    seed: int,
    device: torch.device,
    name: str,
    gaze: str = "fixed",
    record: str | None = None,
    frames: int = 0,
    **replay: Any,
) -> Source:
    """The source of this name, none of which has done anything yet.

    Args:
        env: the world's settings, for name="live".
        frames: how many will be asked for, which a recording must have.
        record: where the frames of a live world are recorded, if anywhere.
        replay: path, weights, repeat, start, and the keywords of `OrderSettings`, for name="replay".

    Raises:
        SettingError: settings that cannot work, or a recording that is none.
    """
    if name == "replay":
        order = OrderSettings(**{field.name: replay.pop(field.name) for field in fields(OrderSettings)})
        kind = ShuffledReplay if order.order in ("window", "shuffled") else Replay
        return kind(order=order, seed=seed, device=device, frames=frames, **replay)
    settings = {key: value for key, value in env.items() if key not in ("name", "id", "num_worlds")}
    live = Live(gym.make_vec(env["id"], num_envs=env["num_worlds"], device=device, **settings), seed=seed, gaze=gaze)
    return Recorded(live, record, {"env": env, "seed": seed, "gaze": gaze}) if record else live


def recorded_env(path: str | list[str], order: OrderSettings, *, weights: list[float] | None = None) -> dict[str, Any]:
    """The settings of the world that was recorded (the first, of several), with as many worlds as the replay shows.

    Raises:
        SettingError: no recording, or one that contradicts itself.
    """
    recordings = opened(path)
    rows = shares(recordings, order, weights=weights)
    return _env(recordings[0]) | {"num_worlds": sum(rows)}


def _env(recording: Recording) -> dict[str, Any]:
    """What a recording says of its world, once it is sure that it is one of ours."""
    told = {name: value for name, value in recording.facts["env"].items() if name not in ("name", "id")}
    name, where = recording.facts["env"].get("name"), f"stream.path={recording.path}"
    height, width = recording.size
    try:
        if name == "imported":
            known = asdict(ImportedSettings())
            for key, value in told.items():
                if type(known.get(key)) is not type(value):
                    raise no_such(f"env.{key}", known)
            found = known | told
        else:
            found = world(name, told)
    except (SettingError, TypeError, ValueError) as error:
        raise SettingError(f"{where} tells of a world that can't be: {error}") from None
    if height != width:
        raise SettingError(f"{where} shows {width}x{height} frames, and networks need square ones; import with size=")
    if found["size"] != height:
        raise SettingError(f"{where} says env.size={found['size']} and shows {width}x{height}; it was altered")
    return found
