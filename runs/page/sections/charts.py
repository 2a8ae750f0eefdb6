"""Sections of charts: learning curves, blocks, probes, and what the monitor measured inside the network."""

from typing import Any

import numpy as np

from runs.analysis.reading import LoadedRun, baseline, measure, measure_name, probe_keys, scored, task_keys, values
from runs.page.charts import Line, chart, over_time
from runs.page.section import Groups, section
from runs.scores import BASELINES, ScoreKey, group_patterns

TITLES = {  # of the monitor's numbers
    "effective_rank": "Effective rank of each block's output",
    "positive_distance": "Mean distance of a pair's two embeddings",
    "negative_distance": "Mean distance of embeddings of different episodes",
    "weight_norm": "Norm of the weights",
    "update_norm": "Norm of one update",
    "own_gradient": "Update · gradient of the rule's own loss (cosine)",
    "top_gradient": "Update · gradient of the loss at the top (cosine)",
    "feedback": "Feedback · forward weights (cosine)",
    "head_feedback": "Feedback · forward weights, in the head (cosine)",
}


@section(30, series=[*group_patterns(("linear", "transfer/*")), "train"])
def curves(groups: Groups) -> dict[str, Any] | None:
    """A chart for each task and a line for each group; the loss last."""
    runs = [run for group in groups.values() for run in group]
    keys = [key for key in task_keys(runs[0]) if all(key in run.scores for run in runs)]
    charts = []
    for key in keys:
        unit, name = measure(runs[0], key), measure_name(runs[0], key)
        lines = [over_time(label, [run.scores[key] for run in group], name) for label, group in groups.items()]
        means = {label: float(np.mean([baseline(run, each, key) for run in runs])) for each, label in BASELINES.items()}
        levels = {label: unit.scale * mean for label, mean in means.items() if np.isfinite(mean)}
        charts += chart(key.title, lines, levels, unit=unit.title)
    charts += _training_losses(groups)
    return {"charts": charts, "bands": any(len(group) > 1 for group in groups.values())} if charts else None


def _training_losses(groups: Groups) -> list[dict[str, str]]:
    """A chart for each loss, whose numbers no other's can be compared with; some rules have none."""
    lines: dict[str, list[Line]] = {}
    for name, group in groups.items():
        series = [run.series["train"] for run in group if "loss" in run.series.get("train", ())]
        if series:
            lines.setdefault(group[0].settings["loss.name"], []).append(over_time(name, series, "loss"))
    titles = {loss: f"Training loss, {loss}" if len(lines) > 1 else "Training loss" for loss in lines}
    return [each for loss, of in lines.items() for each in chart(titles[loss], of)]


@section(50, each_run=True)
def blocks(run: LoadedRun) -> dict[str, Any] | None:
    """A chart for each probe, a line for each evaluation that made it: the first and the last."""
    keys = [key for key in scored(run) if key.block is not None]
    charts = []
    for probe in dict.fromkeys(key.probe for key in keys):
        rows = sorted((key for key in keys if key.probe == probe), key=lambda key: key.block or 0)
        unit, numbers = measure(run, rows[0]), np.array([key.block for key in rows])
        scores = unit.scale * np.stack([values(run, key)[[0, -1]] for key in rows], 1)  # (2, blocks)
        lines = [Line("after learning", numbers, scores[1])] if len(values(run, rows[0])) > 1 else []
        lines.append(Line("before learning", numbers, scores[0]))
        charts += chart(ScoreKey(probe=probe).title, lines, unit=unit.title, x_label="block")
    return {"charts": charts} if charts else None


@section(60, each_run=True)
def probes(run: LoadedRun) -> dict[str, Any] | None:
    """A small chart for each factor, and for each other probe; all on one scale."""
    keys = probe_keys(run)
    factors = [key for key in keys if key.kind == "factors"]
    context = {"factors": _charts(run, factors), "others": _charts(run, [key for key in keys if key not in factors])}
    return context if any(context.values()) else None


def _charts(run: LoadedRun, keys: list[ScoreKey]) -> list[dict[str, str]]:
    charts = []
    for key in keys:
        unit, lines = measure(run, key), [over_time("", [run.scores[key]], measure_name(run, key))]
        levels = {"random": unit.scale * float(values(run, key)[0])}
        charts += chart(key.title, lines, levels, unit=unit.title, span=(0, unit.scale), size=(330, 170))
    return charts


@section(80, each_run=True)
def inside(run: LoadedRun) -> dict[str, Any] | None:
    """A chart for each number, a line for each block."""
    charts = []
    for key, title in TITLES.items():
        lines = [
            over_time(name.rpartition("/")[2].replace("block", "block "), [series], key)
            for name, series in run.series.items()
            if name.startswith(("watch/block", "alignment/block")) and key in series
        ]
        charts += chart(title, lines)
    return {"charts": charts} if charts else None
