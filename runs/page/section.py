"""Sections of a report: each is a function in a module of `runs.page.sections`, and the template of its name.

A new one needs no other file than its module and `templates/NAME.html`, where NAME is the function's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from runs.analysis.reading import LoadedRun
from runs.page import sections

Groups = dict[str, list[LoadedRun]]  # runs that differ in their seed alone, under what tells the groups apart
Context = dict[str, Any] | None


@dataclass(frozen=True)
class Section:
    """One section; its template gets what `context` returns as `section`, and is left out where that is None."""

    context: Callable[[Any], Context]
    place: int  # in the page, from the top
    template: str
    each_run: bool  # of one run at a time, and not of all groups


SECTIONS: list[Section] = []


def section(place: int, *, each_run: bool = False) -> Callable[[Callable], Callable]:
    """Registers `context(groups)`, or with `each_run` `context(run)`, as a section of every report."""

    def register(function: Callable[[Any], Context]) -> Callable[[Any], Context]:
        SECTIONS.append(Section(function, place, f"{function.__name__}.html", each_run))
        return function

    return register


def rendered(of: Any, *, each_run: bool) -> list[dict[str, Any]]:
    """The contexts of the sections that have something to show, from the top, each with its `template`."""
    for module in iter_modules(sections.__path__):
        import_module(f"{sections.__name__}.{module.name}")
    chosen = sorted((each for each in SECTIONS if each.each_run == each_run), key=lambda each: each.place)
    contexts = [(each.template, each.context(of)) for each in chosen]
    return [{**context, "template": template} for template, context in contexts if context is not None]
