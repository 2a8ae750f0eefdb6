"""Paths on the command line, which people give as they are: with ~, spaces, commas, quotes, brackets, any script."""

import re
from pathlib import Path

from envs.errors import SettingError

NAMES = ("path", "background_path", "record", "resume", "results_dir", "data_root")  # of settings that are paths
PLAIN = re.compile(r"(?!(true|false|null|nan|inf|yes|no|on|off)$)[a-z_./-][\w./:+%@-]*", re.ASCII | re.IGNORECASE)


def as_given(override: str, *, is_sweep: bool = False) -> str:
    """An override whose value, if it is a path, Hydra takes as it stands; another override as it is.

    In a sweep, a comma stands between values unless something lies at the whole path.

    Raises SettingError: a path that is empty, as an unset variable leaves it.
    """
    key, equals, value = override.partition("=")
    if not equals or key.lstrip("+").rpartition(".")[2] not in NAMES:
        return override
    if value.strip() in ("", "''", '""'):
        raise SettingError(f"{key}= is empty; give a path, or leave it out")
    path = Path(value).expanduser()
    there = _exists(path)
    if not there and (value[0] in "[{'\"" or "${" in value or value == "null" or (is_sweep and "," in value)):
        return override
    text = str(path) if value.startswith("~") else value
    return f"{key}={text if PLAIN.fullmatch(text) else quoted(text)}"  # which Hydra would take for something else


def quoted(text: str) -> str:
    """A text as a value in Hydra's grammar."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text) + "'"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or a zero byte
        return False
