"""What a report shows of the numbers of runs: charts and a table. What was not measured is left out."""

from typing import Any

import numpy as np

from runs.charts import Level, Line, line_chart
from runs.collect import MEASURES, Found, baseline, measure, scored
from runs.compare import BASELINES
from runs.figures import TITLES
from runs.statistics import interval

FRAMES = "world frames seen (thousands)"
INSIDE = {  # series of the watch: what it is
    "effective_rank": "Effective rank of each block's output",
    "weight_norm": "Norm of the weights",
    "update_norm": "Norm of one update",
    "own_gradient": "Update · gradient of the rule's own loss (cosine)",
    "top_gradient": "Update · gradient of the loss at the top (cosine)",
    "feedback": "Feedback · forward weights (cosine)",
    "head_feedback": "Feedback · forward weights, in the head (cosine)",
}


def curves(groups: dict[str, list[Found]]) -> dict[str, Any]:
    """Scores over time, a chart for each task and a line for each group; the loss last."""
    runs = [run for group in groups.values() for run in group]
    tasks = [task for task in scored(runs[0], ("linear", "transfer/*")) if all(task in scored(run) for run in runs)]
    charts = []
    for task in tasks:
        kind = measure(runs[0].series[f"eval/{task}"])
        scale = 100 if kind == "top1" else 1
        lines = [
            over_time(name, [run.series[f"eval/{task}"] for run in group], kind, scale)
            for name, group in groups.items()
        ]
        found = {name: np.array([baseline(run, name, task) for run in runs]) for name in BASELINES}
        levels = [
            Level(name.replace("_", " "), scale * of.mean()) for name, of in found.items() if np.isfinite(of).all()
        ]
        charts.append(
            chart(
                TITLES.get(task.removeprefix("transfer/"), task),
                lines,
                levels,
                y=MEASURES[kind] + (", %" if scale == 100 else ""),
            )
        )
    if all("train" in run.series for run in runs):
        lines = [over_time(name, [run.series["train"] for run in group], "loss", 1) for name, group in groups.items()]
        charts.append(chart("Training loss", lines, y="loss"))
    return {"curves": charts, "bands": any(len(group) > 1 for group in groups.values())}


def every_score(run: Found) -> dict[str, Any] | None:
    """A table of all scores at the first and the last evaluation, with what the baselines reach."""
    tasks = scored(run)
    if not tasks:
        return None
    others = [name for name in BASELINES[1:] if any(np.isfinite(baseline(run, name, task)) for task in tasks)]
    lines = []
    for task in tasks:
        series = run.series[f"eval/{task}"]
        kind = measure(series)
        ends = [shown(float(series[kind][at]), kind) for at in (-1, 0)]
        lines.append(
            [
                task,
                MEASURES[kind] + (", %" if kind == "top1" else ""),
                *ends,
                *(shown(baseline(run, name, task), kind) for name in others),
            ]
        )
    return {"head": ["", "last", "first", *(name.replace("_", " ") for name in others)], "rows": lines}


def by_block(
    run: Found, under: str, keys: tuple[str, ...], *, scale: float = 1, title: str | None = None
) -> list[dict[str, str]]:
    """A chart for each key, a line for each block."""
    blocks = {name: series for name, series in run.series.items() if name.startswith(f"{under}block")}
    charts = []
    for key in keys:
        lines = [
            over_time(name.rpartition("/")[2].replace("block", "block "), [series], key, scale)
            for name, series in blocks.items()
            if key in series
        ]
        if lines:
            charts.append(chart(title or INSIDE[key], lines, y=title or INSIDE[key]))
    return charts


def factors(run: Found) -> list[dict[str, str]]:
    """A small chart for each factor, the random encoder's level in it."""
    charts = []
    for task in scored(run, ("factors/*",)):
        series = run.series[f"eval/{task}"]
        kind = measure(series)
        scale, unit = (100, ", %") if kind == "top1" else (1, "")
        line = over_time("", [series], kind, scale)
        level = Level("random", scale * float(series[kind][0]))
        name = task.removeprefix("factors/").replace("_", " ").capitalize()
        charts.append(chart(name, [line], [level], y=MEASURES[kind] + unit, size=(330, 170)))
    return charts


def inside(run: Found) -> list[dict[str, str]]:
    """Collapse and alignment."""
    charts = by_block(run, "watch/", ("effective_rank", "update_norm", "weight_norm"))
    return charts + by_block(run, "alignment/", ("own_gradient", "top_gradient", "feedback", "head_feedback"))


def over_time(name: str, series: list[dict[str, np.ndarray]], key: str, scale: float = 1) -> Line:
    """The mean of runs at the frames that all have, with its interval."""
    shared = sorted(set.intersection(*({int(n) for n in each["frames"]} for each in series)))
    values = scale * np.stack([each[key][np.isin(each["frames"], shared)] for each in series])
    return Line(name, np.array(shared) / 1000, values.mean(0), *interval(values))


def chart(title: str, lines: list[Line], levels: list[Level] | None = None, *, y: str, **size) -> dict[str, str]:
    """A chart with its title; lines without a number are left out."""
    lines = [line for line in lines if np.isfinite(line.y).any()]
    return {"title": title, "unit": y, "svg": line_chart(lines, levels=levels or [], x_label=FRAMES, y_label=y, **size)}


def shown(value: float, kind: str = "top1") -> str:
    """Shares in percent, anything else as it is."""
    if not np.isfinite(value):
        return "-"
    return f"{100 * value:.1f}" if kind == "top1" else f"{value:.2f}"
