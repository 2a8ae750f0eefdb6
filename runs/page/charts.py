"""Line charts as SVG that takes its colours from the page around it, so that one page suits light and dark.

Matplotlib, which draws the figures for papers, writes its colours into every file: a page would need each chart twice,
at many times the size.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from runs.analysis.bootstrap import interval
from runs.analysis.labels import spread_labels
from runs.scores import MEASURES
from runs.store.metrics import Series

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 108, 12, 34  # room around the axes for ticks and for the names at the lines' ends
LABEL_GAP = 13  # between two names, at least
FRAMES = "world frames seen (thousands)"


class Line(NamedTuple):
    """One curve; `low` and `high` are its interval, nan where it has none."""

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


class Level(NamedTuple):
    """A horizontal line: a baseline."""

    name: str
    y: float


def line_chart(
    lines: list[Line],
    *,
    levels: Sequence[Level] = (),
    x_label: str,
    y_label: str,
    span: tuple[float, float] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> str:
    """SVG of curves with their intervals and of baselines, each named at its right end.

    The y axis holds all the values, and `span` where one is given. Without a span, it need not begin at zero.
    """
    width, height = size
    values = [of for line in lines for of in (line.y, line.low, line.high) if of is not None]
    y_ticks = _ticks([*np.concatenate(values), *(level.y for level in levels), *(span or ())], count=5)
    x_begin, x_end = (end(end(line.x) for line in lines) for end in (min, max))
    x_ticks = _ticks([x_begin, x_end], count=4)

    def across(x):
        return LEFT + (width - LEFT - RIGHT) * (x - x_begin) / max(x_end - x_begin, 1e-12)

    def up(y):
        return height - BOTTOM - (height - TOP - BOTTOM) * (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])

    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(y_label)}">']
    for tick in y_ticks:
        parts.append(f'<path class="grid" d="M{LEFT} {up(tick):.1f}H{width - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        if x_begin <= tick <= x_end:
            x, y = across(tick), height - BOTTOM + 15
            parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{tick:g}</text>')
    middle = (LEFT + width - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{height - 4}" text-anchor="middle">{escape(x_label)}</text>')
    ends = [(up(level.y), level.name, "level") for level in levels]
    for level in levels:
        parts.append(f'<path class="level" d="M{LEFT} {up(level.y):.1f}H{width - RIGHT}"/>')
    for number, line in enumerate(lines):
        parts += _curve(line, f"c{number % 8}", across=across, up=up)
        ends.append((float(up(line.y[np.isfinite(line.y)][-1])), line.name, f"name c{number % 8}"))
    places = spread_labels([end[0] for end in ends], gap=LABEL_GAP, low=TOP, high=height - BOTTOM)
    parts += [
        f'<text class="{kind}" x="{width - RIGHT + 6}" y="{y + 4:.1f}">{escape(name)}</text>'
        for y, (_, name, kind) in zip(places, ends, strict=True)
    ]
    return "".join([*parts, "</svg>"])


def _curve(line: Line, kind: str, *, across, up) -> list[str]:
    """Its interval as a band, its points as dots where they are few."""
    finite = np.isfinite(line.y)
    x, y = across(line.x[finite]), up(line.y[finite])
    parts = []
    if line.low is not None and line.high is not None and np.isfinite(line.low[finite]).all():
        edge = [*zip(x, up(line.high[finite]), strict=True), *zip(x[::-1], up(line.low[finite])[::-1], strict=True)]
        parts.append(f'<path class="band {kind}" d="M{_points(edge)}Z"/>')
    points = [*zip(x, y, strict=True)]
    parts.append(f'<path class="line {kind}" d="M{_points(points)}"/>')
    if len(points) <= 24:
        parts += [f'<circle class="dot {kind}" cx="{a:.1f}" cy="{b:.1f}" r="2.4"/>' for a, b in points]
    return parts


def _points(points: list[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


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
    title: str, lines: list[Line], levels: Sequence[Level] = (), *, unit: str = "", x_label: str = FRAMES, **options
) -> list[dict[str, str]]:
    """A chart with its title, or none where there is no number; `options` are those of `line_chart`."""
    lines = [line for line in lines if np.isfinite(line.y).any()]
    if not lines:
        return []
    svg = line_chart(lines, levels=levels, x_label=x_label, y_label=f"{title} {unit}", **options)
    return [{"title": title, "unit": unit, "svg": svg}]
