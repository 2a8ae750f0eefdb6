"""Sources of frames: a live world, recorded on the way or not, or recordings."""

from dataclasses import replace
from typing import Any, cast

import torch

import envs  # noqa: F401  registers the worlds
from envs.errors import SettingError
from envs.settings import as_json, checked, make_world, world
from envs.worlds import WorldSettings
from streams.live import Live, LiveSettings
from streams.process.ranks import Ranks
from streams.recording.imported import ImportedSettings
from streams.recording.recorder import Recorded
from streams.replay.mixing import opened, shares
from streams.replay.sequential import Replay, ReplaySettings
from streams.replay.shuffled import ShuffledReplay
from streams.types import Source


def open_source(
    env: WorldSettings | None,
    stream: LiveSettings | ReplaySettings,
    *,
    seed: int,
    device: torch.device,
    record: str | None = None,
    frames: int = 0,
    ranks: Ranks | None = None,
) -> Source:
    """The source of frames that the settings ask for, which has done nothing yet.

    Args:
        env: the world's settings, which a replay does not need.
        record: where the frames of a live world are recorded, if anywhere.
        frames: how many will be asked for, which a recording must have.
        ranks: which show the worlds together, each as many.

    Raises SettingError: settings that cannot work, or a recording that is none.
    """
    if isinstance(stream, ReplaySettings):
        kind = ShuffledReplay if stream.order in ("window", "shuffled") else Replay
        return kind(stream, seed=seed, device=device, frames=frames, ranks=ranks)
    assert env is not None
    ranks = ranks or Ranks()
    own = env
    if ranks.size > 1:
        own = replace(cast(Any, env), num_worlds=len(ranks.share(env.num_worlds, "env.num_worlds")))
    live = Live(make_world(own, device=device), seed=seed, gaze=stream.gaze, ranks=ranks)
    if not record:
        return live
    return recorded(live, record, env, seed=seed, gaze=stream.gaze, ranks=ranks)


def recorded(
    live: Live,
    path: str,
    env: WorldSettings,
    *,
    seed: int,
    gaze: str,
    setting: str = "stream.record",
    ranks: Ranks | None = None,
) -> Recorded:
    """The source, which is recorded on the way to a path with the facts about it that a recording keeps.

    Of several ranks, the first records the frames of all.
    """
    facts = {"env": as_json(env), "seed": seed, "gaze": gaze}
    names = {"categories": list(live.world.category_names)} if live.world.category_names else {}
    return Recorded(live, path, facts | names, setting=setting, ranks=ranks)


def recorded_env(stream: ReplaySettings) -> dict[str, Any]:
    """The settings of the world that was recorded (the first, of several), with the replay's number of worlds.

    Raises SettingError: no recording, or one that contradicts itself.
    """
    recordings = opened(stream.path)
    rows, recording = shares(recordings, stream, weights=stream.weights), recordings[0]
    values = {name: value for name, value in recording.facts["env"].items() if name not in ("name", "id")}
    name, where = recording.facts["env"].get("name"), f"stream.path={recording.path}"
    height, width = recording.size
    try:
        env = checked(ImportedSettings, values, prefix="env.") if name == "imported" else world(name, values)
    except (SettingError, TypeError, ValueError) as error:
        raise SettingError(f"{where} tells of a world that can't be: {error}") from None
    if height != width:
        raise SettingError(f"{where} shows {width}x{height} frames, and networks need square ones; import with size=")
    if env.size != height:
        raise SettingError(f"{where} says env.size={env.size} and shows {width}x{height}; it was altered")
    return as_json(env) | {"num_worlds": sum(rows)}
