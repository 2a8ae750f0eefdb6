"""`--help` and `--list` of the main job, before anything slow is imported for them."""

import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from envs.command.help import help_text as help_text_of
from envs.command.help import settings_of
from envs.errors import SettingError, unknown
from runs.config.choices import GROUPS, choices, line_of
from streams.process.output import keep_writing

if TYPE_CHECKING:
    from omegaconf import DictConfig

OTHERS = ("eval", "watch", "run", "distributed")  # groups without choices
SHOWN_ELSEWHERE = ("name", "id", "schedule", "kind")  # fields that a choice brings along


def show_help(description: str, *, composed: bool = False) -> None:
    """Prints what `--help` or `--list [GROUP[=NAME]]` asks for and ends the process, if one of them is given.

    The settings of a choice wait until they can be `composed`: once the schemas are registered.
    """
    arguments = sys.argv[1:]
    try:
        if {"--help", "-h"} & {*arguments}:
            text = help_text(description)
        elif "--list" in arguments:
            asked = "".join(arguments[arguments.index("--list") + 1 :][:1])
            if ("=" in asked or asked in OTHERS) and not composed:
                return
            text = list_text(asked)
        else:
            return
    except SettingError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    keep_writing()
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:  # the reader has gone, as `head` does
        sys.exit(1)
    sys.exit()


def help_text(description: str) -> str:
    """What `--help` shows."""
    return "\n".join(
        [
            description.strip(),
            "",
            "Settings are name=value: group=NAME chooses, group.setting=value changes one setting of what was chosen.",
            "",
            list_text(),
            "",
            "and without choices (--list eval says what is in it):",
            "  eval        when and on what the encoder is scored",
            "  watch       when the network itself is looked at",
            "  run         how long, and where it is kept",
            "  distributed what several processes share, which torchrun starts",
            "  seed, device, results_dir",
            "",
            "  -m a=1,2 b=3,4   a sweep over all combinations; hydra/launcher=joblib runs them in parallel",
            "  --cfg job        the settings that a command line comes to, without running it",
            "",
            "Every setting with its line of help: --list GROUP=NAME, and the reference that make docs builds.",
        ]
    )


def list_text(asked: str = "") -> str:
    """What `--list` shows: all groups; `--list GROUP`: its choices; `--list GROUP=NAME`: the settings of one.

    Raises SettingError: no such group or choice.
    """
    groups = choices()
    group, equals, choice = asked.partition("=")
    if not group:
        lines = [f"  {name:11} {what}: {', '.join(_short(groups[name]))}" for name, what in GROUPS.items()]
        title = "choices, by group (--list GROUP says what each is, --list GROUP=NAME its settings):"
        return "\n".join([title, *lines])
    if group not in (*GROUPS, *OTHERS):
        raise unknown("--list", group, [*GROUPS, *OTHERS])
    if equals and group in OTHERS:
        raise SettingError(f"--list {asked}: {group} has no choices; --list {group} shows its settings")
    if equals and choice not in groups[group]:
        raise unknown(group, choice, groups[group])
    if equals and group == "experiment":  # settings of many groups, as it is written
        return files("runs.conf").joinpath(group, *f"{choice}.yaml".split("/")).read_text().rstrip()
    if group in OTHERS or equals:
        return _settings(group, [asked] if equals else [])
    return "\n".join(f"  {group}={name:24} {line_of(group, name)}" for name in groups[group])


def _short(names: list[str]) -> list[str]:
    """The names, of those in a folder only the folder."""
    return list(dict.fromkeys(f"{name.partition('/')[0]}/..." if "/" in name else name for name in names))


def _settings(group: str, overrides: list[str]) -> str:
    """The settings of a group as overrides leave them, with their lines of help."""
    from omegaconf import OmegaConf

    from runs.config import composing  # these take seconds

    if overrides == ["stream=replay"]:  # which needs a recording to be composed
        from streams.replay.sequential import ReplaySettings

        return help_text_of(ReplaySettings, prefix="stream.")
    config: DictConfig = composing.read(overrides)[group]
    schema: Any = OmegaConf.get_type(config)
    helps = {one.name: one for one in settings_of(schema)} if hasattr(schema, "__dataclass_fields__") else {}
    lines = []
    for name, value in config.items():
        if name not in SHOWN_ELSEWHERE or group in OTHERS:
            one = helps.get(str(name))
            behind = f"  ({one.type}) {one.help}" if one else ""
            lines.append(f"  {group}.{name!s}={composing.as_text(value)}{behind}")
    return "\n".join(lines)
