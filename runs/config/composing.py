"""Settings from overrides, composed with Hydra from the YAML files in `runs/conf` against schemas that a command gives.

What Hydra says of a mistake is several lines about its own insides; here a mistake is one line with the nearest name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from envs.errors import SettingError, no_such, unknown
from envs.settings import as_object, check_value, keys
from envs.worlds import WORLDS, find_world
from runs.config.aliases import current_override
from runs.config.choices import choices as in_files
from runs.config.paths import quoted
from streams.sources import recorded_env

HYDRA = ("hydra.", "hydra/")  # prefixes of Hydra's own settings
RESOLVER = re.compile(r"\$\{[^{}]*:")  # takes a value from the environment, or computes it
CHAIN = "::"  # in a URL of fsspec's: what lies there is read as another protocol says, which may run it
SEARCHPATH = "hydra.searchpath"
EXAMPLES = {
    "Integer": "give a whole number, as in 100_000",
    "Float": "give a number, as in 0.001",
    "ListConfig": "give a list, as in name=[a,b]",
}
OWN = {"loss": "kind", "learner": "schedule", "network": "name"}  # settings that name a part of one's own
DIRECTLY = ("learner", "network")  # whose settings suit others' parts too
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


def register(schemas: Mapping[tuple[str | None, str], type]) -> None:
    """Makes the schemas, by (group, name), known to the YAML files that build on them."""
    for (group, name), node in schemas.items():
        ConfigStore.instance().store(group=group, name=name, node=node)


def choices(*roots: Traversable) -> dict[str, list[str]]:
    """The groups and what each can be, also in `roots`, and the worlds that were registered."""
    names = in_files(*roots)
    return names | ({"env": sorted({*names["env"], *WORLDS})} if "env" in names else {})


def read(overrides: list[str]) -> DictConfig:
    """The settings that overrides ask for. Raises SettingError: an unknown group or key, several values, wrong type."""
    overrides = [_with_world(current_override(text)) for text in overrides]
    for text in filter(RESOLVER.search, overrides):
        raise SettingError(
            f"{text} takes a value from elsewhere, which a run's files would keep; give the value itself"
        )
    picks, values = _sorted(overrides)
    with _hydra():
        defaults = _compose([*picks, *(text for text in overrides if text.startswith(SEARCHPATH))])
        known = keys(defaults)
        for text, override in values:
            if override.key_or_group.startswith(HYDRA):
                continue
            if override.key_or_group not in known or text[0] in "+~":
                raise _of_another_choice(override.key_or_group, picks) or no_such(override.key_or_group, known)
            if override.value_type is not None and text[0] not in "+~":
                check_value(override.key_or_group, override.value(), OmegaConf.select(defaults, override.key_or_group))
        config = _compose(overrides, values)
    _name_after_files(config, picks)
    return _with_recorded_env(config, picks, values) if config.stream.name == "replay" else config


def _name_after_files(config: DictConfig, picks: Iterable[str]) -> None:
    """Names parts of one's own after their YAML files where these say no name."""
    for group, _, choice in (text.partition("=") for text in picks):
        part = config[group] if group in OWN else None
        if not isinstance(part, DictConfig) or part.get("name") or (group == "network" and not part.get("blocks")):
            continue
        OmegaConf.update(config, f"{group}.name", choice.rpartition("/")[2], force_add=True)


def _with_world(override: str) -> str:
    """The same override; of a world of one's own, `env=MODULE:NAME`, the choice that it is from now on."""
    group, _, named = override.partition("=")
    if group != "env" or "," in named:
        return override
    name = find_world(named)
    if not any(entry.name == f"{name}.yaml" for entry in files("runs.conf").joinpath("env").iterdir()):
        ConfigStore.instance().store(group="env", name=name, node=WORLDS[name])
    return f"env={name}"


def given(overrides: Iterable[str]) -> dict[str, Any]:
    """The values of overrides by their names. Raises SettingError: one is no override."""
    return {override.key_or_group: override.value() for override in map(_parse, map(current_override, overrides))}


def as_values(overrides: Iterable[str], settings: DictConfig) -> list[str]:
    """Overrides to be kept: where one refers to other settings, the value that this came to stands in its place."""
    kept = []
    for text in overrides:
        name = text.partition("=")[0].lstrip("+")
        value = OmegaConf.select(settings, name) if "${" in text else None
        kept.append(text if value is None else f"{name}={as_text(value)}")
    return kept


def leads_elsewhere(override: str) -> bool:
    """Whether an override that a folder says could lead to code, or Hydra or fsspec to what is no data of a run's."""
    own_world = override.startswith("env=") and ":" in override
    return own_world or override.lstrip("+~").startswith(HYDRA) or CHAIN in override


class Sweep(NamedTuple):
    """The runs that a command line asks for."""

    is_sweep: bool  # by the experiment itself, without -m
    values: dict[str, list[str]]  # of every setting that is given, each value as an override


def sweep(overrides: list[str]) -> Sweep:
    """The values that a command line, and the experiment it may choose, give each setting.

    An experiment is a sweep where it says `hydra.mode: MULTIRUN`; its `hydra.sweeper.params` are taken as if they had
    been given before the command line, which has the last word.

    Raises SettingError: an unknown experiment, or several of which one is a sweep itself.
    """
    overrides = [current_override(text, is_sweep=True) for text in overrides]
    experiments = [override for override in map(_parse, overrides) if override.key_or_group == "experiment"]
    picks = [text for override in experiments for text in _each(override)]
    mode = None
    with _hydra():
        for text in picks:
            _sorted([text])
            of_hydra = [override for override in overrides if override.startswith(HYDRA)]
            hydra = compose("config", [text, *of_hydra], return_hydra_config=True).hydra
            mode, params = hydra.mode, hydra.sweeper.params or {}
            if params and len(picks) > 1:
                raise SettingError(f"{text} is a sweep already; begin one such experiment at a time")
            overrides = [*(f"{name}={value}" for name, value in params.items()), *overrides]
    values = {override.key_or_group: _each(override) for override in map(_parse, overrides)}
    return Sweep(mode == RunMode.MULTIRUN, values)


def one_at_a_time(values: dict[str, list[str]]) -> Iterator[list[str]]:
    """Runs of a sweep in which every value of every setting comes up once: to be checked before any of them begins."""
    first = {name: each[0] for name, each in values.items()}
    yield list(first.values())
    for name, each in values.items():
        for text in each[1:]:
            yield list((first | {name: text}).values())


def own_choices(overrides: list[str]) -> list[Path]:
    """The folders of choices of one's own, given as `hydra.searchpath=[folder]`."""
    given = [override.value() for override in map(_parse, overrides) if override.key_or_group == SEARCHPATH]
    paths = [path for value in given for path in (value if isinstance(value, list) else [value])]
    folders = [Path(str(path).removeprefix("file://")) for path in paths]
    for folder in folders:
        if not folder.is_dir():
            raise SettingError(
                f"{SEARCHPATH}=[{folder}] is no folder; give the one that holds loss/NAME.yaml and the like"
            )
    return folders


def with_setting(key: str, picks: list[str]) -> tuple[DictConfig, list[str]]:
    """The settings that choices come to, and, where only other choices of its group have this one, which these are.

    The settings are then those of the first of these. Raises SettingError: no choice has it.
    """
    picks = [_with_world(current_override(text)) for text in picks]
    _sorted(picks)
    with _hydra():
        config = _compose(picks)
        if key in keys(config):
            return config, []
        owners = _owners(key, picks)
        if not owners:
            raise no_such(key, keys(config))
        group = key.partition(".")[0]
        return _compose([*_of_other_groups(group, picks), f"{group}={owners[0]}"]), owners


def _of_another_choice(key: str, picks: list[str]) -> SettingError | None:
    """The error for a key that its group has with other choices than those picked; None where it has it with none."""
    group, owners = key.partition(".")[0], _owners(key, picks)
    if not owners:
        return None
    return SettingError(f"{key} is a setting of {group}={' or '.join(owners)} alone; add {group}={owners[0]}")


def _owners(key: str, picks: list[str]) -> list[str]:
    """The choices of a key's group that have it."""
    group, owners = key.partition(".")[0], []
    for choice in choices().get(group, []) if group != "experiment" else []:
        with suppress(SettingError):
            if key in keys(_compose([*_of_other_groups(group, picks), f"{group}={choice}"])):
                owners.append(choice)
    return owners


def _of_other_groups(group: str, picks: list[str]) -> list[str]:
    return [pick for pick in picks if not pick.startswith(f"{group}=")]


def _with_recorded_env(config: DictConfig, picks: list[str], values: list[tuple[str, Override]]) -> DictConfig:
    """The settings with the recording's own world, which no override may contradict."""
    stream = as_object(config.stream)
    recorded = recorded_env(stream)
    given = {override.key_or_group: override.value() for override in map(_parse, picks)}
    given |= {override.key_or_group: override.value() for _, override in values}
    shown = {"env": recorded["name"]} | {f"env.{name}": value for name, value in recorded.items()}
    for name, value in given.items():
        if name.partition(".")[0] == "env" and shown.get(name) != value:
            raise SettingError(
                f"{name}={value} is not what stream.path={stream.path} shows "
                f"({name}={shown.get(name, 'absent')}); leave it out"
            )
    for name in ("env.dataset", "env.background_dataset"):  # classes: some of them write, or run what they read
        if shown.get(name) and name not in given and config.eval.every:
            way_out = f"env={recorded['name']} {name}={shown[name]}"
            raise SettingError(
                f"stream.path={stream.path} was made of torchvision's {shown[name]}, which is not opened because a "
                f"recording says so; add {way_out}, or eval.every=0"
            )
    OmegaConf.update(config, "env", OmegaConf.create(recorded), merge=False, force_add=True)
    return config


def _sorted(overrides: list[str]) -> tuple[list[str], list[tuple[str, Override]]]:
    """Overrides that choose from a group, and those that set a value."""
    groups, picks, values = choices(*own_choices(overrides)), [], []
    for text in overrides:
        override = _parse(text)
        group = override.key_or_group
        if override.is_sweep_override():
            raise SettingError(f"{text} is more than one value; a sweep over them begins with -m")
        if group not in groups:
            values.append((text, override))
        elif override.value() in groups[group] or (group == "experiment" and override.value() is None):
            picks.append(text)
        elif group in OWN and re.fullmatch(r"[A-Za-z_]\w*([.:]\w+)+", str(override.value())):
            raise _own_part(group, str(override.value()))
        else:
            raise unknown(group, override.value(), groups[group], aliases=ALIASES.get(group, {}))
    return picks, values


def _own_part(group: str, value: str) -> SettingError:
    """The error for a part of one's own that is given in place of a choice."""
    path = value.replace(":", ".")
    directly = f"{group}.{OWN[group]}={path}, or " if group in DIRECTLY else ""
    return SettingError(
        f"{group}={value} is no choice; a {group} of your own is given as {directly}{group}=NAME "
        f"hydra.searchpath=[FOLDER], where FOLDER/{group}/NAME.yaml says {OWN[group]}: {path} (see examples/conf)"
    )


def _each(override: Override) -> list[str]:
    """A sweep over a setting as one override for each value; anything else as it is."""
    if not override.is_discrete_sweep():
        return [str(override.input_line)]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def as_text(value: Any) -> str:
    """A value as an override gives it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if OmegaConf.is_list(value) or isinstance(value, list | tuple):
        return f"[{','.join(map(as_text, value))}]"
    text = str(value)
    return text if re.fullmatch(r"[\w./:+%@-]+", text) else quoted(text)


def _parse(text: str) -> Override:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        raise SettingError(f"{text!r} is not a setting; write name=value, as in seed=3") from None


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


def _compose(overrides: list[str], values: list[tuple[str, Override]] | None = None) -> DictConfig:
    """What Hydra makes of overrides, of which `values` set a value; a complaint is one line that names the setting."""
    try:
        config = compose("config", overrides)
        OmegaConf.resolve(config)
        return config
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error
        complaint = str(cause).strip().splitlines()[0]
        hint = next((example for kind, example in EXAMPLES.items() if kind in complaint), "")
        complaint = hint if hint.startswith("give a list") else "; ".join(filter(None, (complaint, hint)))
        key = getattr(cause, "full_key", None)
        text = next((text for text, override in reversed(values or []) if override.key_or_group == key), key)
        raise SettingError(f"{text}: {complaint}" if text else complaint) from error
