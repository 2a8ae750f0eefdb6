"""Text for people: what comes from outside, numbers of things, warnings."""

import warnings
from typing import Any


def printable(text: str) -> str:
    """A text in which whatever is no letter, but an order to a terminal or a line break, is spelt: `\\x1b`."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def counted(number: int, noun: str, *, plural: str = "") -> str:
    """A number of things: `1 picture`, `2 pictures`; where an s at its end is no plural, `plural` is."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def plain_warnings() -> None:
    """Lets a command print a warning for its user as one line, without where in the code it comes from."""
    warnings.formatwarning = _plain  # type: ignore[assignment]


_whole = warnings.formatwarning


def _plain(message: Warning | str, category: type[Warning], *where: Any, **named: Any) -> str:
    return f"{message}\n" if category is UserWarning else _whole(message, category, *where, **named)
