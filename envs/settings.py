"""The worlds by name, as a run or a recording is told of them, and the reading of name=value without any framework.

`learners.online` reads the same dataclasses with Hydra. A recording is made by `streams.record`, which knows no Hydra:
it reads `env=NAME env.size=64 ...` here, to the same settings by the same names.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from envs.errors import SettingError, no_such, unknown
from envs.moving_images import MovingImagesSettings
from envs.scene.settings import SceneSettings


@dataclass
class MovingObjectsSettings(SceneSettings):
    """env=moving_objects"""

    name: str = "moving_objects"
    id: str = "MovingObjects-v0"
    num_worlds: int = 128  # worlds watched at once; each gives one frame a step
    stagger: bool = True


@dataclass
class MovingImagesRunSettings(MovingImagesSettings):
    """env=moving_images"""

    name: str = "moving_images"
    id: str = "MovingImages-v0"
    num_worlds: int = 128
    stagger: bool = True


@dataclass
class CountingSettings:
    """env=counting, the world of the tests"""

    name: str = "counting"
    id: str = "Counting-v0"
    num_worlds: int = 16
    size: int = 32
    episode_length: int = 16
    stagger: bool = True
    split: str = "train"


WORLDS = {
    "moving_objects": MovingObjectsSettings,
    "moving_images": MovingImagesRunSettings,
    "counting": CountingSettings,
}


def world(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the world of this name, defaults and all, as plain data that JSON holds.

    Raises:
        SettingError: no such world or setting, with the near miss, or a value out of range.
    """
    if name not in WORLDS:
        raise unknown("env", name, WORLDS)
    known = asdict(WORLDS[name]())
    for key, value in values.items():
        if key not in known:
            raise no_such(f"env.{key}", [f"env.{other}" for other in known])
        if not _fits(value, known[key]):
            raise SettingError(f"env.{key}={value} should be of type {type(known[key]).__name__}, like {known[key]}")
    found = asdict(WORLDS[name](**values)) | {"name": name, "id": known["id"]}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def _fits(value: Any, like: Any) -> bool:
    """Whether a value is of the type of a default; a whole number is a float too, and a list a tuple."""
    if isinstance(like, tuple):
        return isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
    return type(value) is type(like) or (type(like) is float and type(value) is int)


def read(overrides: list[str], groups: Mapping[str, Any]) -> dict[str, Any]:
    """What `name=value` and `group.name=value` say: a dict or value for each of `groups`, and `env`.

    `groups` holds the defaults: dataclasses for groups and plain values for single settings. `env=NAME` chooses the
    world, and `env.name=value` sets it.

    Raises:
        SettingError: what is no setting, with the near miss, or a value of the wrong type.
    """
    said = dict(_split(text) for text in overrides)
    name = said.pop("env", "moving_objects")
    if name not in WORLDS:
        raise unknown("env", name, WORLDS)
    defaults = _flat({"env": WORLDS[name](), **groups})
    for key, text in said.items():
        if key not in defaults:
            raise no_such(key, defaults)
        said[key] = parsed(text, like=defaults[key], setting=key)
    found = {group: default for group, default in groups.items() if not is_dataclass(default)}
    for key, value in (defaults | said).items():
        group, dot, rest = key.partition(".")
        if not dot:
            found[key] = value
        elif group != "env":
            found.setdefault(group, {})[rest] = value
    mine = {key.removeprefix("env."): value for key, value in said.items() if key.startswith("env.")}
    return found | {"env": world(name, mine)}


def parsed(text: str, *, like: Any, setting: str) -> Any:
    """A value of the type of `like` (a string where that is None).

    Raises:
        SettingError: it is of another type.
    """
    kind = str if like is None else type(like)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind in (tuple, list):
            return kind(part.strip() for part in text.strip("[]()").split(",") if part.strip())
        return kind(text)
    except (KeyError, ValueError):
        raise SettingError(f"{setting}={text} should be of type {kind.__name__}, like {like}") from None


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingError(f"{text!r} is not a setting; write name=value, as in seed=3")
    return key, value


def _flat(groups: Mapping[str, Any]) -> dict[str, Any]:
    flat = {}
    for group, default in groups.items():
        if is_dataclass(default):
            flat |= {f"{group}.{key}": value for key, value in vars(default).items()}
        else:
            flat[group] = default
    return flat
