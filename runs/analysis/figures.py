"""Pictures of runs: the film strip of what one saw, its learning curve beside the baselines, many compared."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from envs.errors import SettingError
from runs.analysis.reading import MEASURES
from runs.page.charts import spread_labels
from streams.recording.storage import replace

STYLE = {
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
BASELINES = {  # name in the summary: (label, line)
    "random_encoder": ("random encoder", (0, (5, 2))),
    "pixels": ("raw pixels", (0, (1, 1.5))),
    "mean_colour": ("mean colour", (0, (3, 1.5, 1, 1.5))),
    "chance": ("chance", (0, (1, 4))),
}
PANELS = 4  # beside one another


def title_of(task: str) -> str:
    """What a panel about a task is called."""
    kind, _, name = task.partition("/")
    if kind == "finetune":
        return f"{title_of(name).removesuffix(' of the world')}, fine-tuned"
    if kind == "transfer":
        return f"Transfer to {name}".replace("_", " ")
    return "Test instances of the world" if task == "linear" else task


def film_strip(frames: np.ndarray, path: Path, *, stride: int = 1, ends: np.ndarray | None = None) -> None:
    """Writes frames (worlds, T, H, W, 3) uint8 as rows of worlds over time, `stride` steps spread_labels.

    `ends` (worlds, T) bool marks frames before which another episode began; a gap is drawn there.
    """
    rows, columns = frames.shape[:2]
    with rc_context(STYLE):
        figure = Figure(figsize=(0.62 * columns + 0.5, 0.62 * rows + 0.5), layout="none")
        left, bottom = 0.45 / figure.get_figwidth(), 0.42 / figure.get_figheight()
        grid = figure.add_gridspec(
            rows, columns, left=left, right=0.995, bottom=bottom, top=0.995, wspace=0.04, hspace=0.04
        )
        for row in range(rows):
            for column in range(columns):
                axes = figure.add_subplot(grid[row, column])
                axes.imshow(frames[row, column], interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                if row == rows - 1:
                    axes.set_xlabel(str(column * stride), labelpad=2)
                if column == 0:
                    axes.set_ylabel(str(row), rotation=0, labelpad=6, va="center")
                if ends is not None and ends[row, column]:
                    axes.spines["left"].set(visible=True, color="white", linewidth=5)
        figure.text(0.5, 0.02, "time (steps)", ha="center", va="bottom")
        figure.text(0.005, 0.5, "world", rotation=90, ha="left", va="center")
        _write(figure, path)


def learning_curve(summary: dict[str, Any], path: Path) -> None:
    """Writes top-1 over frames, a panel for each thing the encoder was scored on, from `runs.show.summary`."""
    panels = {"linear": summary["eval"]["linear"], **summary["eval"]["transfer"]}
    with rc_context(STYLE):
        columns, rows = min(len(panels), PANELS), -(-len(panels) // PANELS)
        figure = Figure(figsize=(3.9 * columns, 2.8 * rows), layout="constrained")
        for number, (name, series) in enumerate(panels.items(), 1):
            axes = figure.add_subplot(rows, columns, number)
            thousands, percent = np.array(series["frames"]) / 1000, 100 * np.array(series["top1"], float)
            axes.plot(thousands, percent, color=CURVE, marker="o", markersize=4, lw=1.8, clip_on=False, zorder=3)
            axes.set_xlim(0, max(thousands[-1], 1e-3))
            axes.set_title(title_of(name if name == "linear" else f"transfer/{name}"), loc="left", fontsize=10)
            axes.set(xlabel="world frames seen (thousands)", ylabel="linear probe top-1 (%)")
            levels = {key: _level(scores, name) for key, scores in summary["baseline"].items()}
            _baselines(axes, {key: 100 * level for key, level in levels.items() if level is not None})
            _labels(axes, levels, learner=(summary["learner"], percent[-1]))
        _write(figure, path)


def comparison(found: dict[str, Any], path: Path) -> None:
    """Writes what `runs.compare.compare` found: a panel for each task, a dot for every seed, and bars for intervals.

    A group with one seed has no bar. The random encoder is a line, its seeds a band.

    Raises:
        SettingError: a path of a kind that cannot be drawn.
    """
    if path.suffix not in KINDS:
        raise SettingError(f"--figure {path} is none of {', '.join(KINDS)}; choose one of them")
    tasks = found["tasks"]
    labels = [row["group"] for row in next(iter(tasks.values()))["groups"]][::-1]  # from the bottom up
    with rc_context(STYLE):
        columns, rows = min(len(tasks), PANELS), -(-len(tasks) // PANELS)
        wide = 0.3 + 0.075 * max(map(len, labels)) + 2.9 * columns
        figure = Figure(figsize=(wide, (1.0 + 0.3 * len(labels)) * rows), layout="constrained")
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
        for axes in panels[len(tasks) :]:
            axes.set_axis_off()
        for axes, (task, each) in zip(panels, tasks.items(), strict=False):
            scale, unit = (100, " (%)") if each["measure"] == "top1" else (1, "")
            _random_encoder(axes, each, scale=scale)
            for row in each["groups"]:
                _group(axes, row, labels.index(row["group"]), scale=scale)
            axes.set_yticks(range(len(labels)), labels)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.set_ylim(-0.6, len(labels) - 0.4)
            axes.set_title(title_of(task), loc="left", fontsize=10, pad=14)
            axes.set_xlabel(f"{MEASURES[each['measure']]}{unit} at {each['frames']:,} frames")
        _write(figure, path)


def _group(axes, row: dict[str, Any], height: int, *, scale: float) -> None:
    """One group: its interval as a bar, its mean as a tick across it, each seed as a dot below."""
    score = {key: np.nan if value is None else scale * value for key, value in row["score"].items()}
    axes.plot([score["low"], score["high"]], [height, height], color=CURVE, lw=2.2, solid_capstyle="butt", zorder=3)
    axes.plot(score["mean"], height, marker="|", color=CURVE, markersize=11, markeredgewidth=2.2, zorder=4)
    seeds = [scale * seed["score"] for seed in row["seeds"]]
    axes.plot(seeds, [height - 0.24] * len(seeds), "o", color=CURVE, alpha=0.65, markersize=3.6, mew=0, zorder=3)


def _random_encoder(axes, each: dict[str, Any], *, scale: float) -> None:
    random = [seed["random_encoder"] for row in each["groups"] for seed in row["seeds"]]
    random = [scale * value for value in random if value is not None]
    if random:
        axes.axvspan(min(random), max(random), color=QUIET, alpha=0.15, lw=0, zorder=0)
        axes.axvline(float(np.mean(random)), color=QUIET, lw=1, ls=BASELINES["random_encoder"][1], zorder=1)
        axes.annotate(
            "random encoder", (float(np.mean(random)), 1), (0, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=QUIET, fontsize=7.5, ha="center", va="bottom",
        )  # fmt: skip


def _level(scores: dict[str, Any], name: str) -> float | None:
    return scores["linear"] if name == "linear" else scores["transfer"].get(name)


def _baselines(axes, levels: dict[str, float]) -> None:
    """A thin line for each baseline, with room for all of them."""
    for key, level in levels.items():
        axes.axhline(level, color=QUIET, lw=1, ls=BASELINES[key][1], zorder=0)
    low, high = axes.get_ylim()
    axes.set_ylim(max(min([low, *levels.values()]) - 3, 0), min(max([high, *levels.values()]) + 2, 100.5))


def _labels(axes, levels: dict[str, float | None], *, learner: tuple[str, float]) -> None:
    """A name at the end of every line, or near it where two lie close."""
    named = [(100 * level, BASELINES[key][0], QUIET, "normal") for key, level in levels.items() if level is not None]
    named.append((learner[1], learner[0], CURVE, "bold"))
    low, high = axes.get_ylim()
    places = spread_labels([level for level, *_ in named], gap=0.068 * (high - low), low=low, high=high)
    for place, (_, text, color, weight) in zip(places, named, strict=True):
        axes.annotate(
            text, (1, place), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            color=color, fontweight=weight, va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip


def _write(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    kind = path.suffix[1:]
    figure.savefig(buffer, format=kind, facecolor="white", bbox_inches="tight", metadata=UNDATED[kind])
    replace(path, buffer.getvalue())
