"""The one door to the text files of a run: bounded, checked, and damaged ones named in a line.

What a run's folder says is data. Its settings are values: they refer to nothing (`${...}`), and no tag makes objects.
"""

import json
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf._utils import get_yaml_loader

from envs.errors import SettingError

LIMIT = 1 << 24  # bytes of a text file
DEPTH = 24  # levels of a YAML file; settings have three
PLAIN = (str, int, float, bool, type(None))
Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast, where there is one
T = TypeVar("T")


class DamagedFileError(SettingError):
    """A file of a run that is not as it was written. `path` is the file, `why` what is wrong with it."""

    def __init__(self, path: Path, why: str):
        self.path, self.why = path, why
        super().__init__(f"{path} is damaged ({why}); put back a copy of it, or leave its run out")


class Values(dict[str, Any]):
    """What a file says, by name. Raises DamagedFileError where it is asked for a name that it lacks."""

    def __init__(self, values: dict[str, Any], *, path: Path):
        super().__init__(values)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise DamagedFileError(self.path, f"it lacks {name}")


def read_bytes(path: Path, *, limit: int = LIMIT) -> bytes:
    """A whole file of at most `limit` bytes. Raises DamagedFileError: it is missing, larger, or no file."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would be waited for
        with ExitStack() as opened:
            opened.callback(os.close, number)
            facts = os.fstat(number)
            if not stat.S_ISREG(facts.st_mode):
                raise DamagedFileError(path, "it is no file")
            if facts.st_size > limit:
                raise DamagedFileError(path, f"it has {facts.st_size:,} bytes, and at most {limit:,} can be right")
            with open(number, "rb", buffering=0, closefd=False) as file:
                return file.read()
    except FileNotFoundError:
        raise DamagedFileError(path, "it is missing") from None
    except OSError as error:
        raise DamagedFileError(path, f"it cannot be read: {error.strerror}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DamagedFileError."""
    values = _parsed(path, json.loads)
    if not isinstance(values, dict):
        raise DamagedFileError(path, "it holds no JSON object")
    return values


def read_values(path: Path) -> dict[str, Any]:
    """The settings in a YAML file: a mapping of values. Raises DamagedFileError."""
    values = _parsed(path, _values)
    if not isinstance(values, dict):
        raise DamagedFileError(path, "it holds no settings")
    return values


def read_lines(path: Path) -> list[str]:
    """The list of texts in a YAML file. Raises DamagedFileError."""
    values = _parsed(path, _values)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise DamagedFileError(path, "it holds no list of texts")
    return values


def _parsed(path: Path, parse: Callable[[str], T]) -> T:
    data = read_bytes(path)
    try:
        return parse(data.decode())
    except UnicodeDecodeError:
        raise DamagedFileError(path, "it is not UTF-8") from None
    except Exception as error:  # whatever a parser raises for a broken file
        raise DamagedFileError(path, next(iter(str(error).splitlines()), type(error).__name__)) from error


def _values(text: str) -> Any:
    """A YAML document. Raises ValueError where it is more than values: it refers to others, or is too deep."""
    depth = 0
    for event in yaml.parse(text, Loader=Parser):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it repeats parts of itself")
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None):
            raise ValueError(f"it makes an object of {event.tag}")  # type: ignore[attr-defined]
        if isinstance(event, yaml.ScalarEvent) and ("${" in event.value or event.value == "???"):
            raise ValueError(f"it says {event.value}, and stored settings are values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise ValueError(f"it is more than {DEPTH} levels deep")
    values = yaml.load(text, Loader=_Loader)
    _check_plain(values)
    return values


def _check_plain(values: Any) -> None:
    """Raises ValueError where something is neither a value, nor a list or a mapping of names to values."""
    nodes = [values]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            odd = [name for name in node if not isinstance(name, str)]
            nodes += node.values()
        else:
            odd = [] if isinstance(node, (list, *PLAIN)) else [node]
            nodes += node if isinstance(node, list) else []
        if odd:
            raise ValueError(f"it says {odd[0]!r}, which no setting is")


class _Loader(Parser):
    """What OmegaConf takes for a number, libyaml reads; no name comes twice."""

    yaml_implicit_resolvers = get_yaml_loader().yaml_implicit_resolvers

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        names = [key.value for key, _ in node.value]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"it says {twice} twice")
        return super().construct_mapping(node, deep=deep)
