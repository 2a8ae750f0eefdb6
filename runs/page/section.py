"""Sections of a report: each is a function in a module of `runs.page.sections`, and the template of its name.

A new one needs no other file than its module and `templates/NAME.html`, where NAME is the function's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from envs.errors import SettingError
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
    series: tuple[str, ...] = ("*",)  # patterns of what a section of all groups reads of the runs but the first of each


SECTIONS: list[Section] = []


def section(place: int, *, each_run: bool = False, series: Iterable[str] = ("*",)) -> Callable[[Callable], Callable]:
    """Registers `context(groups)`, or with `each_run` `context(run)`, as a section of every report.

    Where hundreds of runs are reported, `series` saves reading what no section of all groups looks at.
    """

    def register(function: Callable[[Any], Context]) -> Callable[[Any], Context]:
        SECTIONS.append(Section(function, place, f"{function.__name__}.html", each_run, tuple(series)))
        return function

    return register


def registered() -> list[Section]:
    """All sections, from the top."""
    for module in iter_modules(sections.__path__):
        import_module(f"{sections.__name__}.{module.name}")
    return sorted(SECTIONS, key=lambda each: each.place)


def series_of_all() -> list[str]:
    """Patterns of the series that sections of all groups read."""
    return sorted({pattern for each in registered() if not each.each_run for pattern in each.series})


def rendered(of: Any, *, each_run: bool, notes: list[str]) -> list[dict[str, Any]]:
    """The contexts of the sections that have something to show, from the top, each with its `template`.

    One that what it shows is too damaged for is left out, and a line is added to the notes.
    """
    contexts = []
    for each in [each for each in registered() if each.each_run == each_run]:
        try:
            context = each.context(of)
        except SettingError as error:
            notes.append(f"{error}; {each.context.__name__} is left out")
        else:
            contexts += [{**context, "template": each.template}] if context is not None else []
    return contexts
