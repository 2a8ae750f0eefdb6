"""Text on a terminal: what comes from files and command lines is shown as it is, and does nothing to the terminal."""

import re
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from envs.command.text import printable

TURNING = r"\u202a-\u202e\u2066-\u2069"  # the direction of text
CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{TURNING}\ud800-\udfff]")


def visible(text: object) -> str:
    """The text with its control characters, and what no encoding has, written out as `\\x1b`."""
    return CONTROL.sub(lambda match: printable(match[0]), str(text))


def one_line(text: object) -> str:
    """The visible text in one line."""
    return visible(re.sub(r"\s+", " ", str(text)))


def say(lines: Iterable[object]) -> None:
    """Prints each as one line on stderr."""
    for line in lines:
        print(one_line(line), file=sys.stderr)  # noqa: T201


class Terminal(Console):
    """A console for which brackets, colons and control characters in a text are no commands."""

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as it is, its control characters written out."""
        return super().render_str(visible(text), **options)
