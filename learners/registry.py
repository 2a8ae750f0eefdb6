"""Parts by name: one of ours, or one of the user's own by its dotted path."""

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any, TypeVar

from envs.errors import SettingError, unknown

T = TypeVar("T")


def look_up(setting: str, value: Any, known: Mapping[str, T], *, expected: str, fits: Callable[[Any], bool]) -> T:
    """The part that `value` names: a key of `known`, or the path of something that can be imported and `fits`.

    A path is package.module.name, or package.module:name.

    A value that is no text is such a part itself.

    Raises SettingError: neither (with the nearest of the known), an import that fails, or what is not as `expected`.
    """
    if value in known:
        return known[value]
    module, _, name = value.replace(":", ".").rpartition(".") if isinstance(value, str) else ("itself", "", "")
    if not module:
        raise unknown(setting, value, known)
    try:
        part = getattr(import_module(module), name) if isinstance(value, str) else value
    except (ImportError, AttributeError) as error:
        raise SettingError(
            f"{setting}={value} cannot be imported ({error}); a part of your own is package.module.name, found from "
            "the folder that you run in or from PYTHONPATH"
        ) from error
    if not fits(part):
        raise SettingError(f"{setting}={value} must be {expected}, as in examples/, and is {type(part).__name__}")
    return part


def check_numbers(of: Callable, settings: Mapping[str, Any], *, group: str) -> None:
    """Raises SettingError: the first setting that is no number where the signature of a part says that it takes one."""
    for name, value in settings.items():
        annotation = signature(of).parameters[name].annotation
        fits = {int: int, float: int | float}.get(annotation, object)
        if not isinstance(value, fits) or (fits is not object and isinstance(value, bool)):
            example = "a whole number, as in 3" if annotation is int else "a number, as in 0.1"
            raise SettingError(f"{group}.{name}={value} is no value that {of.__name__} takes; give {example}")
