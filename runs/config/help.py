"""`--help` and `--list` of the main job, before anything slow is imported for them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envs.command.help import help_text as help_text_of
from envs.command.help import settings_of
from envs.errors import SettingError, unknown
from runs.config.choices import GROUPS, choices, line_of, text_of
from streams.process.output import keep_writing

if TYPE_CHECKING:
    from omegaconf import DictConfig

OTHERS = ("eval", "watch", "run", "distributed")  # groups without choices
TOP = ("seed", "device", "results_dir")  # settings of no group
SEARCHPATH = "hydra.searchpath"  # folders of choices of one's own
SHOWN_ELSEWHERE = ("name", "id", "schedule", "kind")  # fields that a choice brings along


def show_help(description: str, *, composed: bool = False) -> None:
    """Prints what `--help` or `--list [GROUP[=NAME] or SETTING]` asks for and ends the process, if one is given.

    Settings, and choices of one's own, wait until they can be `composed`: once the schemas are registered.
    """
    arguments = sys.argv[1:]
    if not {"--help", "-h", "--list"} & {*arguments}:
        return
    asked, picks = _asked(arguments)
    if not composed and (picks or not (asked in GROUPS or asked == "")):
        return
    try:
        text = help_text(description, picks) if {"--help", "-h"} & {*arguments} else list_text(asked, picks)
    except SettingError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    keep_writing()
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:  # the reader has gone, as `head` does
        sys.exit(1)
    sys.exit()


def _asked(arguments: list[str]) -> tuple[str, list[str]]:
    """What stands behind `--list`, and the choices and folders of choices that are given beside it."""
    where = arguments.index("--list") + 1 if "--list" in arguments else len(arguments)
    asked = "".join(arguments[where : where + 1])
    asked = "" if asked.startswith((SEARCHPATH, "-")) else asked
    others = [text for text in arguments if text != asked]
    return asked, [text for text in others if text.partition("=")[0] in (*GROUPS, SEARCHPATH) and "=" in text]


def help_text(description: str, picks: Sequence[str] = ()) -> str:
    """What `--help` shows."""
    return "\n".join(
        [
            description.strip(),
            "",
            "Settings are name=value: group=NAME chooses, group.setting=value changes one setting of what was chosen.",
            "",
            list_text(picks=picks),
            "",
            "and without choices (--list eval says what is in it):",
            "  eval        when and on what the encoder is scored",
            "  watch       when the network itself is looked at",
            "  run         how long, and where it is kept",
            "  distributed what several processes share, which torchrun starts",
            f"  {', '.join(TOP)}",
            "",
            "  -m a=1,2 b=3,4   a sweep over all combinations; hydra/launcher=joblib runs them in parallel",
            "  --cfg job        the settings that a command line comes to, without running it",
            "",
            "Every setting with its line of help: --list GROUP=NAME, --list SETTING, and what make docs builds.",
        ]
    )


def list_text(asked: str = "", picks: Sequence[str] = ()) -> str:
    """What `--list` shows: all groups; `--list GROUP`: its choices; `--list GROUP=NAME`: the settings of one.

    `--list SETTING` shows one setting, of the choices that `picks` are. What lies in a `hydra.searchpath` among these
    counts too. Raises SettingError: no such group, choice or setting.
    """
    picks, roots = list(picks), _own_folders(picks)
    groups = choices(*roots)
    group, equals, choice = asked.partition("=")
    if not group:
        lines = [f"  {name:11} {what}: {', '.join(_short(groups[name]))}" for name, what in GROUPS.items()]
        title = "choices, by group (--list GROUP says what each is, --list GROUP=NAME its settings):"
        return "\n".join([title, *lines])
    if not equals and ("." in asked or asked in TOP):
        return _setting(asked, picks)
    if group not in (*GROUPS, *OTHERS):
        raise unknown("--list", group, [*GROUPS, *OTHERS, *TOP])
    if equals and group in OTHERS:
        raise SettingError(f"--list {asked}: {group} has no choices; --list {group} shows its settings")
    if equals and choice not in groups[group]:
        raise unknown(group, choice, groups[group])
    if equals and group == "experiment":  # settings of many groups, as it is written
        return text_of(group, choice, *roots).rstrip()
    if group in OTHERS or equals:
        folders = [text for text in picks if text.startswith(SEARCHPATH)]
        return _settings(group, [asked, *folders] if equals else [])
    return "\n".join(f"  {group}={name:24} {line_of(group, name, *roots)}" for name in groups[group])


def _own_folders(picks: list[str]) -> list[Path]:
    """The folders of choices of one's own."""
    if not any(text.startswith(SEARCHPATH) for text in picks):
        return []
    from runs.config import composing

    return composing.own_choices(picks)


def _short(names: list[str]) -> list[str]:
    """The names, of those in a folder only the folder."""
    return list(dict.fromkeys(f"{name.partition('/')[0]}/..." if "/" in name else name for name in names))


def _settings(group: str, overrides: list[str]) -> str:
    """The settings of a group as overrides leave them, with their lines of help."""
    from runs.config import composing  # which takes seconds

    if overrides[:1] == ["stream=replay"]:  # which needs a recording to be composed
        from streams.replay.sequential import ReplaySettings

        return help_text_of(ReplaySettings, prefix="stream.")
    config: DictConfig = composing.read(overrides)[group]
    shown = [name for name in map(str, config) if name not in SHOWN_ELSEWHERE or group in OTHERS]
    return "\n".join(_line(config, name, prefix=f"{group}.") for name in shown)


def _setting(key: str, picks: list[str]) -> str:
    """One setting with its line of help, with the choices of its group that alone have it."""
    from omegaconf import OmegaConf

    from runs.config import composing

    config, owners = composing.with_setting(key, picks)
    group, _, name = key.rpartition(".")
    line = _line(OmegaConf.select(config, group) if group else config, name, prefix=f"{group}." if group else "")
    alone = f"\n  a setting of {group}={' or '.join(owners)} alone"
    return line + alone * bool(owners)


def _line(config: "DictConfig", name: str, *, prefix: str) -> str:
    """A setting, its value, type and line of help."""
    from omegaconf import OmegaConf

    from runs.config.composing import as_text

    schema: Any = OmegaConf.get_type(config)
    helps = {one.name: one for one in settings_of(schema)} if hasattr(schema, "__dataclass_fields__") else {}
    value = "" if OmegaConf.is_missing(config, name) else as_text(config[name])
    behind = f"  ({helps[name].type}) {helps[name].help}" if name in helps else ""
    return f"  {prefix}{name}={value}{behind}"
