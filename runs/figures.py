"""Pictures of a run: the film strip of what it saw, and its learning curve beside the baselines."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from runs.checkpoint import replace

STYLE = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "savefig.dpi": 200,
}
CURVE, QUIET = "#0072b2", "#6b6b6b"  # Okabe and Ito's blue, and a grey
BASELINES = {  # name in the summary: (label, line)
    "random_encoder": ("random encoder", (0, (5, 2))),
    "pixels": ("raw pixels", (0, (1, 1.5))),
    "mean_colour": ("mean colour", (0, (3, 1.5, 1, 1.5))),
    "chance": ("chance", (0, (1, 4))),
}
TITLES = {"linear": "Test instances of the world", "digits": "Transfer to digits"}


def film_strip(frames: np.ndarray, path: Path, *, stride: int = 1, ends: np.ndarray | None = None) -> None:
    """Writes frames (worlds, T, H, W, 3) uint8 as rows of worlds over time, `stride` steps apart.

    `ends` (worlds, T) bool marks frames before which another encounter began; a gap is drawn there.
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
        figure = Figure(figsize=(3.9 * len(panels), 2.8), layout="constrained")
        for axes, (name, series) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True):
            thousands = np.array(series["frames"]) / 1000
            axes.plot(thousands, 100 * np.array(series["top1"], float), color=CURVE, marker="o", markersize=4, lw=1.8)
            axes.annotate(
                summary["learner"], (thousands[-1], 100 * series["top1"][-1]), (5, 0),
                textcoords="offset points", color=CURVE, va="center", fontweight="bold", annotation_clip=False,
            )  # fmt: skip
            _baselines(axes, summary["baseline"], name, end=thousands[-1])
            axes.set_title(TITLES.get(name, f"Transfer to {name}"), loc="left", fontsize=10)
            axes.set_xlabel("world frames seen (thousands)")
            axes.set_ylabel("linear probe top-1 (%)")
            axes.set_xlim(0, max(thousands[-1], 1) * 1.0)
        _write(figure, path)


def _baselines(axes, baselines: dict[str, Any], name: str, *, end: float) -> None:
    """A thin labelled line for each baseline, labels pushed apart where lines lie close."""
    found = {
        key: scores["linear"] if name == "linear" else scores["transfer"].get(name) for key, scores in baselines.items()
    }
    levels = sorted((100 * value, key) for key, value in found.items() if value is not None)
    low, high = axes.get_ylim()
    low, high = min([low, *(level - 3 for level, _ in levels)]), max([high, *(level + 3 for level, _ in levels)])
    axes.set_ylim(max(low, 0), min(high, 101))
    below = -np.inf
    for level, key in levels:
        label, line = BASELINES[key]
        axes.axhline(level, color=QUIET, lw=1, ls=line, zorder=0)
        below = max(level, below + 0.065 * (high - low))
        axes.annotate(
            label, (end, below), (5, 0), textcoords="offset points",
            color=QUIET, va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip


def _write(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", facecolor="white", bbox_inches="tight")
    replace(path, buffer.getvalue())
