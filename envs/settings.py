"""The worlds by name, and settings that are read from `name=value` or from what a recording says of its world.

Runs read the same dataclasses with Hydra. Both ways go through OmegaConf, which holds each value to its field's type.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import gymnasium as gym
import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from envs.errors import SettingError, check_used, no_such
from envs.worlds import WORLDS, WorldSettings, find_world, installed_world

T = TypeVar("T")
LARGEST = 10**12  # of numbers that any setting could mean
CHOSEN = ("env.name", "stream.name", "pairs.name", "memory.name")  # which a choice brings along
CONVERTED = ((float, int), (ListConfig, list), (ListConfig, tuple))  # of a type, values of another


def world(name: str, values: Mapping[str, Any]) -> WorldSettings:
    """The settings of the world of this name, with some values other than the defaults.

    Raises SettingError: no such world or setting, with the near miss, or a value of the wrong type or out of range.
    """
    name = installed_world(name)  # no module that a file names
    names = {"name": name, "id": WORLDS[name].id}  # which only the command line may change
    return checked(WORLDS[name], {**values, **names}, prefix="env.")


def make_world(settings: WorldSettings, *, device: torch.device) -> gym.vector.VectorEnv:
    """The worlds of these settings, all on one device."""
    values = {name: value for name, value in vars(settings).items() if name not in ("name", "id", "num_worlds")}
    try:
        return gym.make_vec(settings.id, num_envs=settings.num_worlds, device=device, **values)
    except gym.error.Error as error:
        raise SettingError(f"env.id={settings.id} is no world ({error}); leave it out, or register one") from error


def as_json(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON gives them back, with lists for tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def as_object(config: Any) -> Any:
    """The dataclass that a structured config stands for; of a config without one, its values."""
    return OmegaConf.to_object(config)


def checked(schema: type[T], values: Mapping[str, Any], *, prefix: str) -> T:
    """An instance of a dataclass with values from an untrusted file. Raises SettingError as `assign`."""
    config = OmegaConf.structured(schema)
    for name, value in values.items():
        assign(config, name, value, prefix=prefix)
    return as_object(config)


def read(schema: type[T], overrides: list[str]) -> T:
    """An instance of a dataclass with the values of `name=value` and `group.name=value`, and defaults for the rest.

    Where it has a field `env`, `env=NAME` chooses the world whose dataclass stands there. Raises SettingError: no such
    setting, with the near miss, or a value of the wrong type or out of range.
    """
    config, values = OmegaConf.structured(schema), dict(map(split_override, overrides))
    if OmegaConf.is_missing(config, "env"):
        config.env = OmegaConf.structured(WORLDS[find_world(values.pop("env", "moving_objects"))])
    for key, text in values.items():
        assign(config, key, text)
    return check_given(as_object(config), values)


def check_given(settings: T, names: Iterable[str]) -> T:
    """The same settings, of which a user gave those with these dotted names.

    Raises SettingError: one of them has no use with the value of another.
    """
    given: dict[str, list[str]] = {}
    for name in names:
        group, _, field = name.rpartition(".")
        given.setdefault(group, []).append(field)
    for group, within in given.items():
        check_used(getattr(settings, group, None) if group else settings, within, prefix=f"{group}." if group else "")
    return settings


def split_override(text: str) -> tuple[str, str]:
    """Name and value of `name=value`. Raises SettingError."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingError(f"{text!r} is not a setting; write name=value, as in seed=3")
    return key, value


def assign(config: DictConfig, key: str, value: Any, *, prefix: str = "") -> None:
    """Sets a key of a structured config: a string is parsed to its field's type, any other value must be of it.

    Raises SettingError: no such key, with the near miss, or a value of another type; `prefix` stands before the key.
    """
    known = [key for key in keys(config) if not OmegaConf.is_dict(OmegaConf.select(config, key))]
    if key not in known:
        raise no_such(f"{prefix}{key}", [f"{prefix}{name}" for name in known])
    default, setting = OmegaConf.select(config, key), f"{prefix}{key}={value}"
    if "${" in str(value) or value == "???":  # which OmegaConf would look up elsewhere, or take for a value to come
        raise SettingError(f"{setting} has a special meaning to OmegaConf; give another value")
    check_value(f"{prefix}{key}", value, default)
    is_list, is_text = isinstance(default, ListConfig), isinstance(value, str)
    if is_list and is_text:
        value = [part.strip() for part in value.strip("[]()").split(",") if part.strip()]
    try:
        OmegaConf.update(config, key, value, merge=False)
        types = type(OmegaConf.select(config, key)), type(value)
        if not is_text and types[0] is not types[1] and types not in CONVERTED:
            raise ValidationError
        check_value(f"{prefix}{key}", OmegaConf.select(config, key), default)
    except OmegaConfBaseException:
        kind = "list" if is_list else type(default).__name__
        raise SettingError(f"{setting} should be of type {kind}, like {default}") from None


def check_value(setting: str, value: Any, default: Any) -> None:
    """Holds a value for a setting that has this default to what any setting of its kind can be.

    Raises SettingError: a number for a boolean, a number that nothing could be done with, a seed below zero, or another
    `name` of a choice than the one chosen.
    """
    if isinstance(default, bool) and not isinstance(value, bool) and _is_number(value) and str(value) not in "01":
        raise SettingError(f"{setting}={value} is neither true nor false; give one of them")
    for number in value if isinstance(value, list | tuple | ListConfig) else (value,):
        if not isinstance(number, int | float) or isinstance(number, bool):
            continue
        low, high = (0, 2**63 - 1) if setting == "seed" else (-LARGEST, LARGEST)
        if setting.endswith("lr"):  # with which a run ends at its first NaN, and says so
            high = int(torch.finfo(torch.float32).max)
        if not low <= number <= high:
            raise SettingError(f"{setting}={value} is out of range; give a number from {low:,} to {high:,}")
    if setting in CHOSEN and value != default:
        group = setting.partition(".")[0]
        raise SettingError(f"{setting}={value} is not what {group} is; choose it with {group}=NAME")


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def keys(config: DictConfig, prefix: str = "") -> list[str]:
    """Every dotted key of a configuration, branches too."""
    names = []
    for name in map(str, config):
        names.append(f"{prefix}{name}")
        if not OmegaConf.is_missing(config, name) and OmegaConf.is_dict(config[name]):
            names += keys(config[name], f"{prefix}{name}.")
    return names
