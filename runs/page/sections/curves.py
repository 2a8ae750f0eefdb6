"""What it learned: scores over time, and the loss."""

from typing import Any

import numpy as np

from runs.analysis.reading import baseline, scored
from runs.page.charts import Level, chart, over_time
from runs.page.section import Groups, section
from runs.scores import BASELINES, MEASURES, ScoreKey, measure_of


@section(30)
def curves(groups: Groups) -> dict[str, Any] | None:
    """A chart for each task and a line for each group; the loss last."""
    runs = [run for group in groups.values() for run in group]
    keys = [key for key in scored(runs[0]) if key == ScoreKey(key.task) and all(key in run.scores for run in runs)]
    charts = [each for key in keys for each in _scores(groups, key)]
    if all("train" in run.series for run in runs):
        lines = [over_time(name, [run.series["train"] for run in group], "loss") for name, group in groups.items()]
        charts += chart("Training loss", lines)
    return {"charts": charts, "bands": any(len(group) > 1 for group in groups.values())} if charts else None


def _scores(groups: Groups, key: ScoreKey) -> list[dict[str, str]]:
    runs = [run for group in groups.values() for run in group]
    name = measure_of(runs[0].scores[key])
    measure = MEASURES[name]
    lines = [over_time(label, [run.scores[key] for run in group], name) for label, group in groups.items()]
    means = {label: np.mean([baseline(run, each, key) for run in runs]) for each, label in BASELINES.items()}
    levels = [Level(label, measure.scale * mean) for label, mean in means.items() if np.isfinite(mean)]
    return chart(key.title, lines, levels, unit=measure.title)
