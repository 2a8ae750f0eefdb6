from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import pytest
import torch
from omegaconf import MISSING

from envs import registry
from envs.counting import CountingSettings
from envs.errors import SettingError
from envs.settings import as_json, make_world, read, world
from envs.worlds import WORLDS
from runs.config.composing import read as read_with_hydra


@dataclass
class Record:
    path: str | None = None
    frames: int = 100


@dataclass
class Settings:
    env: Any = MISSING
    record: Record = field(default_factory=Record)
    seed: int = 0


def settings(*overrides):
    return read(Settings, list(overrides))


def test_what_is_said_is_read_to_its_type_and_the_rest_is_as_it_was():
    values = settings(
        "env=counting", "env.size=16", "record.path=walk.zarr", "record.frames=200_000", "env.stagger=false"
    )
    assert values.record == Record(path="walk.zarr", frames=200_000)
    assert values.env == CountingSettings(size=16, stagger=False)
    assert values.seed == 0


@pytest.mark.parametrize("name", ["moving_objects", "moving_meshes", "moving_images", "counting"])
def test_a_recording_and_a_run_are_told_of_a_world_by_the_same_names(name):
    overrides = [f"env={name}", "env.size=16", "env.num_worlds=5", "env.episode_length=9"]
    overrides += [] if name == "counting" else ["env.moving=[translation]", "env.speed=0.5"]
    assert as_json(settings(*overrides).env) == dict(read_with_hydra(overrides).env)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("env=countin", "did you mean counting?"),
        ("env.sise=16", "did you mean env.size?"),
        ("record.frame=16", "did you mean record.frames?"),
        ("env.size=big", "env.size=big should be of type int"),
        ("env.size=2", "env.size=2 is out of range"),
        ("rubbish", "name=value"),
        ("record.path=${oc.env:HOME}", "has a special meaning"),
    ],
)
def test_a_mistake_is_one_line(override, line):
    with pytest.raises(SettingError, match=line) as caught:
        settings(override)
    assert "\n" not in str(caught.value)


def test_a_world_that_no_one_knows_is_not_looked_for():
    with pytest.raises(SettingError, match="env=os.path"):
        world("os.path", {})
    with pytest.raises(SettingError, match="env.sise is no setting"):
        world("counting", {"sise": 3})
    assert world("counting", {"id": "os:path"}).id == "Counting-v0"


def test_nothing_that_a_recording_says_is_looked_up_or_converted():
    for values in ({"path": "${oc.env:HOME}"}, {"path": 7}, {"recurring": 1}, {"nuisances": [["hue"]]}):
        with pytest.raises(SettingError, match=f"env.{next(iter(values))}="):
            world("moving_images", values)
    assert world("moving_images", {"speed": 1, "moving": ["hue"]}).moving == ("hue",)


@pytest.mark.parametrize("name", WORLDS)
def test_a_worlds_settings_have_the_name_and_id_of_the_table(name):
    assert (WORLDS[name].name, WORLDS[name].id) == (name, registry.WORLDS[name].id)


@pytest.mark.parametrize("schema", WORLDS.values())
def test_worlds_of_a_run_are_staggered_and_those_that_gymnasium_makes_are_not(schema):
    assert schema().stagger
    if not hasattr(schema, "path"):  # of pictures or meshes, which are not here
        assert not gym.make_vec(schema.id, num_envs=1).unwrapped.settings.stagger
        assert make_world(schema(num_worlds=2), device=torch.device("cpu")).unwrapped.settings.stagger
