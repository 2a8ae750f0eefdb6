"""What a run is told: overrides, read with Hydra against `runs/schema.py`. What cannot work, `runs/checks.py` finds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from envs.devices import device as device_of
from envs.errors import SettingError, no_such, unknown
from streams.sources import recorded_env

HYDRA = ("hydra.", "hydra/")  # what is said to Hydra itself
EXAMPLES = {"Integer": "a whole number, as in 100_000", "Float": "a number, as in 0.001"}
SEARCHPATH = "hydra.searchpath"
ALIASES = {  # what choices are called elsewhere
    "loss": {"simclr": "ntxent", "nt_xent": "ntxent", "infonce": "ntxent", "contrastive": "hinge"},
    "learner": {
        "backprop": "bp",
        "feedback_alignment": "rf",
        "greedy": "gll",
        "target_prop": "dtp",
        "untrained": "none",
    },
}
SEEN_WORLDS = 32  # at least, where both views are shown of what a learner that watches one or a few remembers


def register(schemas: Mapping[tuple[str | None, str], type]) -> None:
    """Tells Hydra the schemas; the YAML files in `runs/conf` build on them."""
    for (group, name), node in schemas.items():
        ConfigStore.instance().store(group=group, name=name, node=node)


def choices(*more: Traversable) -> dict[str, list[str]]:
    """The Hydra groups and what each can be, read off the YAML files (in folders as `folder/name`), also of `more`."""
    found = {}
    for folder in (group for root in (files("runs.conf"), *more) for group in root.iterdir() if _holds_choices(group)):
        found[folder.name] = sorted({*found.get(folder.name, []), *_names(folder)})
    return found


def _searched(overrides: list[str]) -> list[Path]:
    """The folders of choices of one's own, given as `hydra.searchpath=[folder]`."""
    said = [override.value() for override in map(_parsed, overrides) if override.key_or_group == SEARCHPATH]
    paths = [path for value in said for path in (value if isinstance(value, list) else [value])]
    folders = [Path(str(path).removeprefix("file://")) for path in paths]
    for folder in folders:
        if not folder.is_dir():
            raise SettingError(
                f"{SEARCHPATH}=[{folder}] is no folder; give the one that holds loss/NAME.yaml and the like"
            )
    return folders


def _holds_choices(folder: Traversable) -> bool:
    return folder.is_dir() and not folder.name.startswith("_")


def _names(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.name.endswith(".yaml"):
            yield Path(entry.name).stem
        elif _holds_choices(entry):
            yield from (f"{entry.name}/{name}" for name in _names(entry))


def read(overrides: list[str]) -> DictConfig:
    """The settings that command-line overrides ask for.

    Raises:
        SettingError: an unknown group or key (with the near miss), several values, or a value of the wrong type.
    """
    picks, values = _sorted(overrides)
    with _hydra():
        try:
            known = keys(compose("config", [*picks, *(text for text in overrides if text.startswith(SEARCHPATH))]))
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingError(_plain(error, [])) from error
        for text, override in values:
            if override.key_or_group.startswith(HYDRA):
                continue
            if override.key_or_group not in known or text[0] in "+~":
                raise _elsewhere(override.key_or_group, picks) or no_such(override.key_or_group, known)
        try:
            config = compose("config", overrides)
            OmegaConf.resolve(config)
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingError(_plain(error, values)) from error
    return _replayed(config, picks, values) if config.stream.name == "replay" else config


def _elsewhere(key: str, picks: list[str]) -> SettingError | None:
    """What to say of a key that its group has with other choices than those picked."""
    group, groups = key.partition(".")[0], choices()
    owners = []
    for choice in groups.get(group, []):
        others = [pick for pick in picks if not pick.startswith(f"{group}=")]
        with suppress(HydraException, OmegaConfBaseException):
            if key in keys(compose("config", [*others, f"{group}={choice}"])):
                owners.append(choice)
    if owners and group != "experiment":
        return SettingError(f"{key} is a setting of {group}={' or '.join(owners)} alone; add {group}={owners[0]}")
    return None


def _replayed(config: DictConfig, picks: list[str], values: list[tuple[str, Override]]) -> DictConfig:
    """The settings with the recording's own world, which nothing that was said may contradict."""
    stream = OmegaConf.to_object(config.stream)
    recorded = recorded_env(stream)
    said = {override.key_or_group: override.value() for override in map(_parsed, picks)}
    said |= {override.key_or_group: override.value() for _, override in values}
    shown = {"env": recorded["name"]} | {f"env.{name}": value for name, value in recorded.items()}
    for name, value in said.items():
        if name.partition(".")[0] == "env" and shown.get(name) != value:
            raise SettingError(
                f"{name}={value} is not what stream.path={stream.path} shows "
                f"({name}={shown.get(name, 'absent')}); leave it out"
            )
    for name in ("env.dataset", "env.background_dataset"):  # classes: some of them write, or run what they read
        if shown.get(name) and name not in said and config.eval.every:
            way_out = f"env={recorded['name']} {name}={shown[name]}"
            raise SettingError(
                f"stream.path={stream.path} was made of torchvision's {shown[name]}, which is not opened because a "
                f"recording says so; add {way_out}, or eval.every=0"
            )
    OmegaConf.update(config, "env", OmegaConf.create(recorded), merge=False, force_add=True)
    return config


def _sorted(overrides: list[str]) -> tuple[list[str], list[tuple[str, Override]]]:
    """Overrides that choose from a group, and those that set a value."""
    groups, picks, values = choices(*_searched(overrides)), [], []
    for text in overrides:
        override = _parsed(text)
        if override.is_sweep_override():
            raise SettingError(f"{text} is more than one value; a sweep over them begins with -m")
        if override.key_or_group in groups:
            if override.value() not in [*groups[override.key_or_group], None]:
                group, aliases = override.key_or_group, ALIASES.get(override.key_or_group, {})
                raise unknown(group, override.value(), groups[group], aliases=aliases)
            picks.append(text)
        else:
            values.append((text, override))
    return picks, values


@contextmanager
def _hydra() -> Iterator[None]:
    """Hydra on our configuration, also inside a job that Hydra itself has started."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("runs.conf", version_base=None):
            yield
    finally:
        GlobalHydra.instance().clear()
        if outer:
            GlobalHydra.instance().initialize(outer)


class Sweep(NamedTuple):
    """What a command line goes through."""

    asked: bool  # by the experiment itself, without -m
    values: dict[str, list[str]]  # of every setting that is said, each value as an override


def sweep(overrides: list[str]) -> Sweep:
    """The values that a command line, and the experiment it may choose, give each setting.

    An experiment is a sweep where it says `hydra.mode: MULTIRUN`; its `hydra.sweeper.params` are taken as if they had
    been said before the command line, which has the last word.

    Raises:
        SettingError: an unknown experiment, or several of which one is a sweep itself.
    """
    lines = [override for override in map(_parsed, overrides) if override.key_or_group == "experiment"]
    picks = [text for override in lines for text in _each(override)]
    said = [text for text in overrides if text.startswith(HYDRA)]
    mode = None
    with _hydra():
        for text in picks:
            _sorted([text])
            found = compose("config", [text, *said], return_hydra_config=True).hydra
            mode, params = found.mode, found.sweeper.params or {}
            if params and len(picks) > 1:
                raise SettingError(f"{text} is a sweep already; begin one such experiment at a time")
            overrides = [*(f"{name}={value}" for name, value in params.items()), *overrides]
    values = {override.key_or_group: _each(override) for override in map(_parsed, overrides)}
    return Sweep(mode == RunMode.MULTIRUN, values)


def one_at_a_time(values: dict[str, list[str]]) -> Iterator[list[str]]:
    """Runs of a sweep in which every value of every setting comes up once: to be checked before any of them begins."""
    first = {name: each[0] for name, each in values.items()}
    yield list(first.values())
    for name, each in values.items():
        for text in each[1:]:
            yield list((first | {name: text}).values())


def _each(override: Override) -> list[str]:
    """A sweep over a setting as one override for each value; anything else as it is."""
    if not override.is_discrete_sweep():
        return [override.input_line]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def device(settings: DictConfig) -> torch.device:
    """The device asked for.

    Raises:
        SettingError: where this machine has none such.
    """
    return device_of(settings.device)


def to_look_at(settings: DictConfig) -> DictConfig:
    """The same settings for one who looks at the beginning of the stream: nothing is recorded, and it never ends."""
    change = {"record": None} if settings.stream.name == "live" else {"repeat": True}
    return OmegaConf.merge(with_both_views(settings), {"stream": change})


def with_both_views(settings: DictConfig) -> DictConfig:
    """The same settings for one who is to see both views of a pair, also where the learner remembers the earlier one.

    There, pairs are of some worlds at least, since one makes a single pair.
    """
    if not settings.loss.get("remember"):
        return settings
    worlds = max(settings.env.num_worlds, SEEN_WORLDS)
    settings = OmegaConf.merge(settings, {"loss": {"remember": False}, "env": {"num_worlds": worlds}})
    if settings.stream.name == "replay":
        settings.stream.update({"order": "episodes", "worlds": worlds})
    return settings


def keywords(group: DictConfig, *without: str) -> dict[str, Any]:
    """A group as keyword arguments, less some."""
    return {name: value for name, value in OmegaConf.to_container(group, resolve=True).items() if name not in without}


def _parsed(text: str) -> Override:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        raise SettingError(f"{text!r} is not a setting; write name=value, as in seed=3") from None


def keys(config: DictConfig, prefix: str = "") -> list[str]:
    """Every dotted key of a configuration, branches too."""
    found = []
    for name in config:
        found.append(f"{prefix}{name}")
        if not OmegaConf.is_missing(config, name) and OmegaConf.is_dict(config[name]):
            found += keys(config[name], f"{prefix}{name}.")
    return found


def _plain(error: Exception, values: list) -> str:
    """Hydra's complaint about a value, in one line that names the setting."""
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    where = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("full_key:")), None)
    text = next((text for text, override in reversed(values) if override.key_or_group == where), where)
    said = "give a list, as in name=[a,b]" if "is not a ListConfig" in lines[0] else lines[0]
    said += next((f"; give {example}" for kind, example in EXAMPLES.items() if f"to {kind}" in said), "")
    return f"{text}: {said}" if text else said
