"""Parts by name: one of ours, or one of the user's own by its dotted path."""

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any, TypeVar

from envs.errors import SettingError, unknown

T = TypeVar("T")


def named(setting: str, value: str, known: Mapping[str, T], *, wanted: str, fits: Callable[[Any], bool]) -> T:
    """What `value` names: a key of `known`, or the dotted path of something that can be imported and `fits`.

    Raises:
        SettingError: neither (with the nearest of the known), an import that fails, or what is not `wanted`.
    """
    if value in known:
        return known[value]
    module, _, name = value.rpartition(".")
    if not module:
        raise unknown(setting, value, known)
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingError(
            f"{setting}={value} cannot be imported ({error}); a part of your own is package.module.name, found from "
            "the folder that you run in or from PYTHONPATH"
        ) from error
    if not fits(found):
        raise SettingError(f"{setting}={value} must be {wanted}, as in examples/, and is {type(found).__name__}")
    return found


def check_numbers(of: Callable, settings: Mapping[str, Any], *, group: str) -> None:
    """Refuses words where a part wants numbers: of one of the user's own, its signature is all that says so.

    Raises:
        SettingError: the first such setting.
    """
    for name, value in settings.items():
        wanted = signature(of).parameters[name].annotation
        fits = {int: int, float: int | float}.get(wanted, object)
        if not isinstance(value, fits) or (fits is not object and isinstance(value, bool)):
            example = "a whole number, as in 3" if wanted is int else "a number, as in 0.1"
            raise SettingError(f"{group}.{name}={value} is none that {of.__name__} can take; give {example}")
