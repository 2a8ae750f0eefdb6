"""Line charts as SVG that takes its colours from the page around it, so that one page suits light and dark.

Matplotlib, which draws the figures for papers, writes its colours into every file: a page would need each chart twice,
at many times the size.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.ticker import MaxNLocator

from runs.analysis.bootstrap import interval
from runs.analysis.figures import spread_labels
from runs.scores import MEASURES
from runs.store.metrics import Series

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 108, 12, 34  # room around the axes for ticks and for the names at the lines' ends
LABEL_GAP = 13  # between two names, at least
FRAMES = "world frames seen (thousands)"
Levels = Mapping[str, float]  # horizontal lines, by name: baselines
TEMPLATES = Environment(loader=PackageLoader("runs.page"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


class Line(NamedTuple):
    """One curve; `low` and `high` are its interval, nan where it has none."""

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def line_chart(
    lines: list[Line],
    *,
    levels: Levels,
    x_label: str,
    y_label: str,
    span: tuple[float, float] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> str:
    """SVG of curves with their intervals and of baselines, each named at its right end.

    The y axis holds all the values, and `span` where one is given. Without a span, it need not begin at zero. A chart
    is as high as its names need.
    """
    size = size[0], max(size[1], TOP + BOTTOM + LABEL_GAP * (len(lines) + len(levels)))
    right, bottom = size[0] - RIGHT, size[1] - BOTTOM
    values = [of for line in lines for of in (line.y, line.low, line.high) if of is not None]
    y_ticks = _ticks([*np.concatenate(values), *levels.values(), *(span or ())], count=5)
    x_begin, x_end = (end(end(line.x) for line in lines) for end in (min, max))
    x_ticks = [tick for tick in _ticks([x_begin, x_end], count=4) if x_begin <= tick <= x_end]

    def across(x):
        return LEFT + (right - LEFT) * (x - x_begin) / max(x_end - x_begin, 1e-12)

    def up(y):
        return bottom - (bottom - TOP) * (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])

    curves, names = [], [(up(y), name, "level") for name, y in levels.items()]
    for number, line in enumerate(lines):
        x, y, low, high = (None if of is None else of[np.isfinite(line.y)] for of in line[1:])
        points, band = [*zip(across(x), up(y), strict=True)], []
        if low is not None and np.isfinite(low).all():
            band = [*zip(across(x), up(high), strict=True), *zip(across(x)[::-1], up(low)[::-1], strict=True)]
        curves.append((points, band))
        names.append((points[-1][1], line.name, f"name c{number % 8}"))
    heights = spread_labels([y for y, *_ in names], gap=LABEL_GAP, low=TOP, high=bottom)
    names = [(height, *name) for height, (_, *name) in zip(heights, names, strict=True)]
    return TEMPLATES.get_template("chart.html").render(
        size=size, left=LEFT, right=right, bottom=bottom, across=across, up=up, x_label=x_label, y_label=y_label,
        x_ticks=x_ticks, y_ticks=y_ticks, levels=levels.values(), curves=curves, names=names,
    )  # fmt: skip


def _ticks(values, *, count: int) -> Sequence[float]:
    """Round numbers that hold all the values."""
    values = np.asarray(values, float)
    low, high = np.nanmin(values), np.nanmax(values)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    return MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)


def over_time(name: str, series: list[Series], key: str) -> Line:
    """The mean of runs at the frames that all have, with its interval; a score in the unit in which it is shown."""
    shared = sorted(set.intersection(*({int(n) for n in each["frames"]} for each in series)))
    scale = MEASURES[key].scale if key in MEASURES else 1
    values = scale * np.stack([each[key][np.isin(each["frames"], shared)] for each in series])
    return Line(name, np.array(shared) / 1000, values.mean(0), *interval(values))


def chart(
    title: str, lines: list[Line], levels: Levels | None = None, *, unit: str = "", x_label: str = FRAMES, **options
) -> list[dict[str, str]]:
    """A chart with its title, or none where there is no number; `options` are those of `line_chart`."""
    lines = [line for line in lines if np.isfinite(line.y).any()]
    if not lines:
        return []
    svg = line_chart(lines, levels=levels or {}, x_label=x_label, y_label=f"{title} {unit}", **options)
    return [{"title": title, "unit": unit, "svg": svg}]
