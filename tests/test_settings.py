"""Settings stand beside what they set: each is written once, with a line of help."""

import inspect
import json
import re
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import yaml

import envs
import learners
import runs
import streams
from learners.run import SCHEMAS, Settings
from streams.importing import ImportSettings
from streams.record import RecordSettings

CONF = Path(runs.__file__).parent / "conf"
GROUPS = (Settings.__dataclass_fields__[name].default_factory for name in ("eval", "watch", "run"))
CLASSES = list(dict.fromkeys([*SCHEMAS.values(), *GROUPS, ImportSettings, RecordSettings]))
CLASSES = list(
    dict.fromkeys(base for each in CLASSES for base in each.__mro__ if hasattr(base, "__dataclass_fields__"))
)


def own_fields(kind):
    return {item.name: item for item in fields(kind) if item.name in inspect.get_annotations(kind)}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_setting_has_a_line_of_help(kind):
    source = inspect.getsource(kind)
    inherited = {item.name for base in kind.__mro__[1:] if base in CLASSES for item in fields(base)}
    groups = set(Settings.__dataclass_fields__) if kind is Settings else {"name", "id"}
    for name in own_fields(kind):
        if name not in inherited | groups:
            assert re.search(rf"^    {name}: .+(# \S|= field\(  # \S)", source, re.MULTILINE), (kind.__name__, name)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_settings_class_does_not_repeat_a_default_that_it_inherits(kind):
    inherited = {item.name: item for base in kind.__mro__[1:] if base in CLASSES for item in fields(base)}
    for name, item in own_fields(kind).items():
        assert name not in inherited or default_of(item) != default_of(inherited[name]), name


def default_of(item):
    return item.default if item.default_factory is MISSING else item.default_factory()


def functions():
    for package in (envs, streams, runs, learners):
        for info in walk_packages(package.__path__, f"{package.__name__}."):
            module = import_module(info.name)
            for part in vars(module).values():
                if getattr(part, "__module__", None) != info.name:
                    continue
                members = vars(part).values() if inspect.isclass(part) else [part]
                yield from ((module, each) for each in members if _written_in(module, each))


def _written_in(module, part):
    return inspect.isfunction(part) and part.__code__.co_filename == module.__file__  # not made by a decorator


def test_no_function_beside_a_settings_class_writes_its_default_a_second_time():
    for module, function in functions():
        beside = [kind for kind in vars(module).values() if kind in CLASSES and kind.__module__ == module.__name__]
        defaults = {
            (item.name, item.default) for kind in beside for item in fields(kind) if item.default is not MISSING
        }
        if function.__qualname__.partition(".")[0] in {kind.__name__ for kind in beside}:
            continue  # the dataclass's own
        source = inspect.getsource(function)
        for name, parameter in inspect.signature(function).parameters.items():
            if isinstance(parameter.default, str | int | float) and (name, parameter.default) in defaults:
                literal = json.dumps(parameter.default)  # and not the field of the class
                assert not re.search(rf"\b{name}: [^=\n]+= {literal}", source), (function.__qualname__, name)


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(CONF.glob("*/*.yaml")) if path.parent.name != "experiment"],
    ids=lambda path: f"{path.parent.name}={path.stem}",
)
def test_a_named_choice_says_only_what_differs_from_its_schema(path):
    choice, group = yaml.safe_load(path.read_text()) or {}, path.parent.name
    schema = next(name for name in choice["defaults"] if name.endswith("_schema"))
    defaults = {item.name: item.default for item in fields(SCHEMAS[group, schema])}
    assert not [name for name, value in choice.items() if name != "name" and defaults.get(name, MISSING) == value]
