"""The exception for settings that the user must change."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from types import MappingProxyType

MOST_SHOWN = 40  # names that a message lists


Needs = dict[str, tuple[str, tuple]]  # field: another one, and the values of it which use the first


class SettingError(ValueError):
    """A setting that cannot work. Its message is one line: the setting, its value and the way out.

    Commands print the message and exit with a non-zero status; every other exception is a bug.
    """


def unknown(
    setting: str, value: object, known: Iterable[str], *, aliases: Mapping[str, str] = MappingProxyType({})
) -> SettingError:
    """The error for a value that is not known, with the nearest that is. `aliases` are other names of known values."""
    known = list(known)
    near = get_close_matches(str(value), [*known, *aliases], n=1)
    hint = f"did you mean {aliases.get(near[0], near[0])}? " if near else ""
    others = f" and {len(known) - MOST_SHOWN} others" if len(known) > MOST_SHOWN else ""
    return SettingError(f"{setting}={value} is unknown; {hint}known: {', '.join(known[:MOST_SHOWN])}{others}")


def no_such(key: str, known: Iterable[str]) -> SettingError:
    """The error for a key that is no setting, with the nearest, and those of its group or the groups themselves."""
    known = list(known)
    group, _, leaf = key.rpartition(".")
    within = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == group}
    near = [within[name] for name in get_close_matches(leaf, within, n=1)] or get_close_matches(key, known, 1, 0.8)
    beside = list(within.values()) or [name for name in known if "." not in name]
    hint = f"did you mean {near[0]}? " if near else ""
    return SettingError(f"{key} is no setting; {hint}known here: {', '.join(beside or known)}")


@contextmanager
def in_words_of(words: Mapping[str, str]) -> Iterator[None]:
    """Messages of a SettingError within speak of what the user gave: regular expressions, and what stands for them."""
    try:
        yield
    except SettingError as error:
        text = str(error)
        for pattern, instead in words.items():
            text = re.sub(pattern, instead, text)
        error.args = (text,)
        raise


def check_used(settings: object, given: Iterable[str], *, prefix: str = "") -> None:
    """Raises SettingError where one of the fields that a user gave has no use with the value of another.

    Which they are is said by the class itself: `needs` has, by the name of a field, that of another one and the values
    of it which use the first.
    """
    needs = getattr(settings, "needs", {})
    for name in needs.keys() & set(given):
        other, users = needs[name]
        if getattr(settings, other) not in users:
            value, ways = getattr(settings, name), " or ".join(f"{prefix}{other}={_text(user)}" for user in users)
            raise SettingError(
                f"{prefix}{name}={_text(value)} has no use with {prefix}{other}={_text(getattr(settings, other))}; "
                f"leave it out, or set {ways}"
            )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_ranges(settings: object, **ranges: tuple[int, int]) -> None:
    """Raises SettingError where a world's setting lies outside its range (lowest, highest)."""
    for name, (low, high) in ranges.items():
        if not low <= getattr(settings, name) <= high:
            raise SettingError(f"env.{name}={getattr(settings, name)} is out of range; try {low} to {high}")


def check_choices(settings: object, *, group: str = "env", **choices: Iterable[str]) -> None:
    """Raises SettingError where a setting of a group, or one of a tuple, is none of the known names."""
    for name, known in choices.items():
        value = getattr(settings, name)
        for one in value if isinstance(value, tuple) else (value,):
            if one not in known:
                raise unknown(f"{group}.{name}", one, known)
