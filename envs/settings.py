"""The worlds by name, and settings that are read from `name=value` or from what a recording says of its world.

Runs read the same dataclasses with Hydra. Both ways go through OmegaConf, which holds each value to its field's type.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

import gymnasium as gym
import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from envs.counting import CountingSettings
from envs.errors import SettingError, no_such, unknown
from envs.moving_images import MovingImagesSettings
from envs.moving_objects import MovingObjectsSettings

T = TypeVar("T")
WORLDS = {"moving_objects": MovingObjectsSettings, "moving_images": MovingImagesSettings, "counting": CountingSettings}
WorldSettings = MovingObjectsSettings | MovingImagesSettings | CountingSettings


def world(name: str, values: Mapping[str, Any]) -> WorldSettings:
    """The settings of the world of this name, with some values other than the defaults.

    Raises:
        SettingError: no such world or setting, with the near miss, or a value of the wrong type or out of range.
    """
    if name not in WORLDS:
        raise unknown("env", name, WORLDS)
    names = {"name": name, "id": WORLDS[name].id}  # which only the command line may change
    return checked(WORLDS[name], {**values, **names}, prefix="env.")


def make_world(settings: WorldSettings, *, device: torch.device) -> gym.vector.VectorEnv:
    """The worlds of these settings, all on one device."""
    values = {name: value for name, value in vars(settings).items() if name not in ("name", "id", "num_worlds")}
    return gym.make_vec(settings.id, num_envs=settings.num_worlds, device=device, **values)


def as_json(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON gives them back, with lists for tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def checked(schema: type[T], values: Mapping[str, Any], *, prefix: str) -> T:
    """An instance of a dataclass with these values, which nobody vouches for: none is looked up elsewhere.

    Raises:
        SettingError: no such field, or a value of the wrong type; `prefix` stands before its name.
    """
    config = OmegaConf.structured(schema)
    for name, value in values.items():
        if name not in config:
            raise no_such(f"{prefix}{name}", [f"{prefix}{field.name}" for field in fields(schema)])
        _assign(config, name, value, setting=f"{prefix}{name}", strict=True)
    return OmegaConf.to_object(config)


def read(schema: type[T], overrides: list[str]) -> T:
    """An instance of a dataclass with what `name=value` and `group.name=value` say, and the defaults for the rest.

    Where it has a field `env`, `env=NAME` chooses the world whose dataclass stands there.

    Raises:
        SettingError: no such setting, with the near miss, or a value of the wrong type or out of range.
    """
    config, values = OmegaConf.structured(schema), dict(map(split_override, overrides))
    if OmegaConf.is_missing(config, "env"):
        name = values.pop("env", "moving_objects")
        if name not in WORLDS:
            raise unknown("env", name, WORLDS)
        config.env = OmegaConf.structured(WORLDS[name])
    known = list(_leaves(config))
    for key, text in values.items():
        if key not in known:
            raise no_such(key, known)
        assign(config, key, text)
    return OmegaConf.to_object(config)


def split_override(text: str) -> tuple[str, str]:
    """Name and value of `name=value`. Raises SettingError."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingError(f"{text!r} is not a setting; write name=value, as in seed=3")
    return key, value


def assign(config: DictConfig, key: str, text: str) -> None:
    """Sets a structured config's key to what a text stands for in the type of its field. Raises SettingError."""
    group, _, name = key.rpartition(".")
    group = OmegaConf.select(config, group) if group else config
    is_list = isinstance(group[name], ListConfig)
    _assign(group, name, [part.strip() for part in text.strip("[]()").split(",")] if is_list else text, setting=key)


def _assign(config: DictConfig, name: str, value: Any, *, setting: str, strict: bool = False) -> None:
    """Sets a value; where `strict`, one of another type is refused even if it could be converted, as 1 to true."""
    default = config[name]
    if "${" in str(value) or value == "???":  # which OmegaConf would look up elsewhere, or take for a value to come
        raise SettingError(f"{setting}={value} has a special meaning to OmegaConf; give another value")
    try:
        config[name] = value
        pair = type(config[name]), type(value)
        if strict and pair[0] is not pair[1] and pair not in ((float, int), (ListConfig, list), (ListConfig, tuple)):
            raise ValidationError
    except OmegaConfBaseException:
        kind = "list" if isinstance(default, ListConfig) else type(default).__name__
        raise SettingError(f"{setting}={value} should be of type {kind}, like {default}") from None


def _leaves(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """The dotted name of every value."""
    for name, value in config.items():
        if isinstance(value, DictConfig):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
