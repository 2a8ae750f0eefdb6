"""What settings there are, from the dataclasses that hold them: name, type, default and the line of help."""

import inspect
import re
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, get_type_hints

LINE = re.compile(r"^    (\w+): .*?# (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """One setting, as a page or a terminal shows it."""

    name: str
    type: str
    default: str  # empty where it has to be given
    help: str

    def text(self, prefix: str = "") -> str:
        """As a line for a terminal."""
        return f"  {prefix}{self.name}={self.default}  ({self.type}) {self.help}"


def settings_of(schema: type) -> list[Setting]:
    """The settings of a dataclass, its own and those it inherits, in their order.

    The line of help is the comment behind a field, of the class that wrote it last.
    """
    lines: dict[str, str] = {}
    for base in reversed(schema.__mro__):
        if hasattr(base, "__dataclass_fields__"):
            lines |= dict(LINE.findall(inspect.getsource(base)))
    hints = get_type_hints(schema)
    return [
        Setting(item.name, _type(hints[item.name]), _default(item), lines.get(item.name, "")) for item in fields(schema)
    ]


def _type(hint: Any) -> str:
    return (
        hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint).replace("typing.", "")
    )


def _default(item: Field) -> str:
    value = item.default_factory() if item.default_factory is not MISSING else item.default
    if value is MISSING or value == "???":
        return ""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)


def help_text(schema: type, *, prefix: str = "", leave_out: tuple[str, ...] = ("name", "id")) -> str:
    """All settings of a dataclass, a line each."""
    return "\n".join(one.text(prefix) for one in settings_of(schema) if one.name not in leave_out)
