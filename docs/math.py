"""Equations as MathML, which browsers draw by themselves: no script, nothing loaded from elsewhere."""

import re

from latex2mathml.converter import convert

INLINE, DISPLAY = re.compile(r"\\\((.+?)\\\)", re.DOTALL), re.compile(r"\\\[(.+?)\\\]", re.DOTALL)


def on_page_markdown(markdown: str, **_) -> str:
    """A hook of MkDocs: the page with its equations drawn."""
    markdown = DISPLAY.sub(lambda found: convert(found[1].strip(), display="block"), markdown)
    return INLINE.sub(lambda found: f"<span>{convert(found[1].strip())}</span>", markdown)
