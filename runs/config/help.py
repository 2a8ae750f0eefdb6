"""`--help` and `--list` of the main job: its groups, their choices with a line each, and each choice's settings."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from omegaconf import DictConfig, OmegaConf

from envs.errors import unknown
from envs.help import settings_of
from envs.worlds import WORLDS
from runs.config import composing

GROUPS = {  # of the main job, and what each chooses
    "env": "the world that is watched",
    "stream": "where frames come from: the world itself, or a recording",
    "pairs": "what makes two views a positive pair",
    "memory": "what is kept of the stream, to learn from again",
    "learner": "the rule that changes the weights",
    "loss": "what a pair should look like",
    "network": "the blocks that learn",
    "experiment": "settings that belong together: those of a table or figure",
}
OTHERS = ("eval", "watch", "run")  # groups without choices


def list_text(asked: str | None) -> str:
    """What `--list` shows: all groups; `--list GROUP`: its choices; `--list GROUP=NAME`: the settings of one.

    Raises SettingError: no such group or choice.
    """
    groups = composing.choices()
    group, equals, choice = (asked or "").partition("=")
    if not group:
        lines = [f"  {name:11} {what}: {', '.join(_shown(groups[name]))}" for name, what in GROUPS.items()]
        return "\n".join(
            ["choices, by group (--list GROUP says what each is, --list GROUP=NAME its settings):", *lines]
        )
    if group not in GROUPS:
        if group in OTHERS:
            return _settings(composing.read([]), group)
        raise unknown("--list", group, [*GROUPS, *OTHERS])
    if not equals:
        return "\n".join(f"  {group}={name:24} {line_of(group, name)}" for name in groups[group])
    if choice not in groups[group]:
        raise unknown(group, choice, groups[group])
    return _settings(composing.read([asked or ""]), group)


def line_of(group: str, name: str) -> str:
    """What a choice is: the first comment of its YAML file."""
    path = files("runs.conf").joinpath(group, *f"{name}.yaml".split("/"))
    text = path.read_text() if path.is_file() else ""
    comments = [line[1:].strip() for line in text.splitlines() if re.match("#(?! @package)", line)]
    if comments:
        return comments[0]
    return (WORLDS[name].__doc__ or "").splitlines()[0] if group == "env" and name in WORLDS else ""


def _shown(names: list[str]) -> list[str]:
    """The names, of those in a folder only the folder."""
    return list(dict.fromkeys(f"{name.partition('/')[0]}/..." if "/" in name else name for name in names))


def _settings(config: DictConfig, group: str) -> str:
    """The settings of the choice of a group that was composed, with their values."""
    schema: Any = OmegaConf.get_type(config[group])
    helps = {one.name: one for one in settings_of(schema)} if hasattr(schema, "__dataclass_fields__") else {}
    lines = []
    for name, value in config[group].items():
        if name in ("name", "id", "schedule", "kind"):
            continue
        one = helps.get(name)
        shown = str(value).lower() if isinstance(value, bool) or value is None else str(value).replace(", ", ",")
        shown = "null" if value is None else shown.replace("'", "")
        lines.append(f"  {group}.{name}={shown}" + (f"  ({one.type}) {one.help}" if one else ""))
    return "\n".join(lines)


def help_text(description: str, schemas: Mapping[tuple[str | None, str], type]) -> str:
    """What `--help` shows."""
    composing.register(schemas)
    return "\n".join(
        [
            description.strip(),
            "",
            "Settings are name=value: group=NAME chooses, group.setting=value changes one setting of what was chosen.",
            "",
            list_text(None),
            "",
            "and without choices (--list eval says what is in it):",
            "  eval        when and on what the encoder is scored",
            "  watch       when the network itself is looked at",
            "  run         how long, and where it is kept",
            "  seed, device, results_dir",
            "",
            "  -m a=1,2 b=3,4   a sweep over all combinations; hydra/launcher=joblib runs them in parallel",
            "  --cfg job        the settings that a command line comes to, without running it",
            "",
            "Every setting with its line of help: the reference in docs/, and the class that it sets.",
        ]
    )
