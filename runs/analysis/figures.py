"""Pictures of runs: the film strip of one, its learning curve beside the baselines, and many compared."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from envs.errors import SettingError
from envs.images.tiles import tile
from runs.analysis.comparison import Comparison, GroupScores, TaskComparison
from runs.analysis.reading import LoadedRun, baseline, task_keys, values
from runs.scores import BASELINES, MEASURES
from streams.recording.storage import replace

STYLE: Any = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "savefig.dpi": 200,
    "svg.hashsalt": "contiguity",  # else its identifiers would be drawn anew each time
}
UNDATED = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}  # a figure repeats itself to the byte
KINDS = [f".{kind}" for kind in UNDATED]
CURVE, QUIET = "#0072b2", "#6b6b6b"  # Okabe and Ito's blue, and a grey
LINES = {  # of the baselines
    "random_encoder": (0, (5, 2)),
    "pixels": (0, (1, 1.5)),
    "mean_colour": (0, (3, 1.5, 1, 1.5)),
    "majority_class": (0, (1, 4)),
    "chance": (0, (1, 6)),
}
PANELS = 4  # beside one another
GAP = 0.04  # of a frame's width, between two
TOP1 = MEASURES["top1"]


def film_strip(frames: np.ndarray, path: Path, *, stride: int = 1, ends: np.ndarray | None = None) -> None:
    """Writes frames (worlds, T, H, W, 3) uint8 as rows of worlds over time, `stride` steps apart.

    `ends` (worlds, T) bool marks frames before which another episode began; a gap is drawn there.
    """
    rows, columns, height, width = frames.shape[:4]
    gap = max(1, round(GAP * width))
    across, down = ((np.arange(count) * (edge + gap)) for count, edge in ((columns, width), (rows, height)))
    with rc_context(STYLE):
        figure = Figure(figsize=(0.62 * columns + 0.5, 0.62 * rows + 0.5))
        axes = figure.add_axes((0.45 / figure.get_figwidth(), 0.42 / figure.get_figheight(), 0.95, 0.95))
        sheet = tile(frames, gap=gap)
        axes.imshow(sheet, interpolation="nearest", extent=(0, sheet.shape[1], sheet.shape[0], 0))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks(across + width / 2, [str(column * stride) for column in range(columns)])
        axes.set_yticks(down + height / 2, [str(row) for row in range(rows)])
        for row, column in np.argwhere(ends) if ends is not None else ():
            axes.vlines(across[column], down[row], down[row] + height, color="white", linewidth=5)
        axes.set(xlabel="time (steps)", ylabel="world")
        save(figure, path)


def learning_curve(run: LoadedRun, path: Path) -> None:
    """Writes the linear probe's score over frames, a panel for each task, beside the baselines."""
    keys = task_keys(run)
    with rc_context(STYLE):
        columns, rows = min(len(keys), PANELS), -(-len(keys) // PANELS)
        figure = Figure(figsize=(3.9 * columns, 2.8 * rows), layout="constrained")
        for panel, key in enumerate(keys, 1):
            axes = figure.add_subplot(rows, columns, panel)
            thousands, percent = run.scores[key]["frames"] / 1000, TOP1.scale * values(run, key)
            axes.plot(thousands, percent, color=CURVE, marker="o", markersize=4, lw=1.8, clip_on=False, zorder=3)
            axes.set_xlim(0, max(thousands[-1], 1e-3))
            axes.set_title(key.title, loc="left", fontsize=10)
            axes.set(xlabel="world frames seen (thousands)", ylabel="linear probe top-1 (%)")
            levels = {name: TOP1.scale * baseline(run, name, key) for name in BASELINES}
            levels = {name: level for name, level in levels.items() if np.isfinite(level)}
            _baselines(axes, levels, learner=(run.facts["learner"], percent[-1]))
        save(figure, path)


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Writes a comparison: a panel for each task, a dot for every seed, and bars for intervals.

    A group with one seed has no bar. The random encoder is a line, its seeds a band.

    Raises SettingError: a path of a kind that cannot be drawn.
    """
    if path.suffix not in KINDS:
        raise SettingError(f"--figure {path} is none of {', '.join(KINDS)}; choose one of them")
    tasks = comparison.tasks
    labels = [row.group for row in tasks[0].groups][::-1]  # from the bottom up
    with rc_context(STYLE):
        columns, rows = min(len(tasks), PANELS), -(-len(tasks) // PANELS)
        wide = 0.3 + 0.075 * max(map(len, labels)) + 2.9 * columns
        figure = Figure(figsize=(wide, (1.0 + 0.3 * len(labels)) * rows), layout="constrained")
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
        for axes in panels[len(tasks) :]:
            axes.set_axis_off()
        for axes, task in zip(panels, tasks, strict=False):
            measure = MEASURES[task.measure]
            _random_encoder(axes, task, scale=measure.scale)
            for row in task.groups:
                _group(axes, row, labels.index(row.group), scale=measure.scale)
            axes.set_yticks(range(len(labels)), labels)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.set_ylim(-0.6, len(labels) - 0.4)
            axes.set_title(task.key.title, loc="left", fontsize=10, pad=14)
            unit = f" ({measure.unit})" if measure.unit else ""
            axes.set_xlabel(f"{measure.label}{unit} at {task.frames:,} frames")
        save(figure, path)


def spread_labels(places: Sequence[float], *, gap: float, low: float, high: float) -> np.ndarray:
    """The places (n,) nearest to these that are `gap` or more apart and within [low, high], where that has room.

    Nearest in the sum of squares: less `gap` times its rank, a place may not lie below the one before it, which makes
    it isotonic regression, by pooling adjacent violators (Barlow et al. 1972).
    """
    from scipy.optimize import isotonic_regression  # seconds to import: not until it is needed

    order = np.argsort(places, kind="stable")
    ranks = gap * np.arange(len(order))
    means = isotonic_regression(np.asarray(places, float)[order] - ranks).x
    spread = np.empty(len(order))
    spread[order] = means.clip(low, max(high - ranks[-1:].sum(), low)) + ranks
    return spread


def _group(axes, row: GroupScores, height: int, *, scale: float) -> None:
    """One group: its interval as a bar, its mean as a tick across it, each seed as a dot below."""
    bounds, seeds = [scale * row.score.low, scale * row.score.high], [scale * seed.score for seed in row.seeds]
    axes.plot(bounds, [height, height], color=CURVE, lw=2.2, solid_capstyle="butt", zorder=3)
    axes.plot(scale * row.score.mean, height, marker="|", color=CURVE, markersize=11, markeredgewidth=2.2, zorder=4)
    axes.plot(seeds, [height - 0.24] * len(seeds), "o", color=CURVE, alpha=0.65, markersize=3.6, mew=0, zorder=3)


def _random_encoder(axes, task: TaskComparison, *, scale: float) -> None:
    levels = scale * np.array([seed.random_encoder for row in task.groups for seed in row.seeds])
    levels = levels[np.isfinite(levels)]
    if len(levels):
        axes.axvspan(levels.min(), levels.max(), color=QUIET, alpha=0.15, lw=0, zorder=0)
        axes.axvline(levels.mean(), color=QUIET, lw=1, ls=LINES["random_encoder"], zorder=1)
        axes.annotate(
            BASELINES["random_encoder"], (levels.mean(), 1), (0, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=QUIET, fontsize=7.5, ha="center", va="bottom",
        )  # fmt: skip


def _baselines(axes, levels: dict[str, float], *, learner: tuple[str, float]) -> None:
    """A thin line for each baseline, and a name at the end of every line, or near it where two lie close."""
    for name, level in levels.items():
        axes.axhline(level, color=QUIET, lw=1, ls=LINES[name], zorder=0)
    low, high = axes.get_ylim()
    low, high = max(min([low, *levels.values()]) - 3, 0), min(max([high, *levels.values()]) + 2, 100.5)
    axes.set_ylim(low, high)
    named = [(level, BASELINES[name], QUIET, "normal") for name, level in levels.items()]
    named.append((learner[1], learner[0], CURVE, "bold"))
    places = spread_labels([level for level, *_ in named], gap=0.068 * (high - low), low=low, high=high)
    for place, (_, text, color, weight) in zip(places, named, strict=True):
        axes.annotate(
            text, (1, place), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            color=color, fontweight=weight, va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip


def save(figure: Figure, path: Path) -> None:
    """Writes a figure, to the byte as it was written before, in place of one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    kind = path.suffix[1:]
    figure.savefig(buffer, format=kind, facecolor="white", bbox_inches="tight", metadata=UNDATED[kind])
    replace(path, buffer.getvalue())
