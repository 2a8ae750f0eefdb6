"""Recordings of the counting world, and what they must hold."""

import json
from contextlib import closing
from pathlib import Path

import gymnasium as gym
import pytest
import torch

import streams.record
from envs.settings import as_json, world
from streams.live import Live
from streams.record import record
from streams.recording.checksum import record_checksum
from streams.recording.recorder import Recorded
from streams.replay.sequential import Replay, ReplaySettings

SMALL = ["env=counting", "env.size=4", "env.num_worlds=3", "env.episode_length=7", "device=cpu"]


def live(seed=0, worlds=3):
    made = gym.make_vec("Counting-v0", num_envs=worlds, size=4, episode_length=7, stagger=True)
    return Live(made, seed=seed)


def about(seed=0, worlds=3):
    env = world("counting", {"size": 4, "num_worlds": worlds, "episode_length": 7, "stagger": True})
    return {"env": as_json(env), "seed": seed, "gaze": "fixed"}


def recorder(path, seed=0):
    return Recorded(live(seed), str(path), about(seed))


def recorded(path, frames):
    assert record([*SMALL, f"record.path={path}", f"record.frames={frames}"]) == 0
    return path


def refused(capsys):
    """The one line that the command says as it leaves with status 2."""
    with pytest.raises(SystemExit) as left:
        streams.record.main()
    message = capsys.readouterr().err
    assert left.value.code == 2
    assert message.count("\n") == 1
    return message


def assert_same(a, b):
    assert a.step == b.step
    assert torch.equal(a.images, b.images)
    assert a.images.stride() == b.images.stride()
    assert torch.equal(a.episode, b.episode)
    assert a.factors.keys() == b.factors.keys()
    for name, value in a.factors.items():
        assert value.dtype == b.factors[name].dtype
        assert torch.equal(value, b.factors[name]), name


def assert_is_the_walk(path, steps):
    """The recording holds exactly so many steps of the walk."""
    with closing(replay_of(path)) as replay:
        count = 0
        for frames, lived in zip(replay, live(), strict=False):
            assert_same(frames, lived)
            count += 1
    assert count == steps


def replay_of(path, *, kind=Replay, seed=0, frames=0, **settings):
    """A replay of one recording, or of a list of them."""
    path = str(path) if isinstance(path, Path) else path
    return kind(ReplaySettings(path=path, **settings), seed=seed, frames=frames)


def files(path):
    return {file.relative_to(path): file.read_bytes() for file in Path(path).rglob("*") if file.is_file()}


def committed(path):
    mark = Path(path) / "zarr.json"
    return json.loads(mark.read_text())["attributes"]["committed"] if mark.exists() else 0


def changed(path, name, change, *, vouched=True):
    """Alters a zarr.json of a recording; `vouched` makes the root's checksum right, as one could who knows how."""
    document = path / name / "zarr.json" if name else path / "zarr.json"
    metadata = json.loads(document.read_text())
    change(metadata)
    if vouched and not name and "checksum" in metadata.get("attributes", {}):
        metadata["attributes"]["checksum"] = record_checksum(metadata["attributes"])
    document.write_text(json.dumps(metadata))
