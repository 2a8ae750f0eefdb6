"""Text that comes from outside, as it can be shown."""


def printable(text: str) -> str:
    """A text in which whatever is no letter, but an order to a terminal or a line break, is spelt: `\\x1b`."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
