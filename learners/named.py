"""Parts by name: one of ours, or one of the user's own by its dotted path."""

from collections.abc import Mapping
from importlib import import_module
from typing import TypeVar

from envs.errors import SettingError, unknown

T = TypeVar("T")


def named(setting: str, value: str, known: Mapping[str, T]) -> T:
    """What `value` names: a key of `known`, or the dotted path of something that can be imported.

    Raises:
        SettingError: neither (with the nearest of the known), or an import that fails.
    """
    if value in known:
        return known[value]
    module, _, name = value.rpartition(".")
    if not module:
        raise unknown(setting, value, known)
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingError(
            f"{setting}={value} cannot be imported ({error}); a part of your own is package.module.name, found from "
            "the folder that you run in or from PYTHONPATH"
        ) from error
