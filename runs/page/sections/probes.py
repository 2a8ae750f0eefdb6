"""What the code keeps: factors and other probes of the whole encoder over time, beside the random encoder."""

from typing import Any

from runs.analysis.reading import LoadedRun, scored, values
from runs.page.charts import Level, chart, over_time
from runs.page.section import section
from runs.scores import FINETUNE, MEASURES, ScoreKey, measure_of


@section(60, each_run=True)
def probes(run: LoadedRun) -> dict[str, Any] | None:
    """A small chart for each factor, and for each other probe; all on one scale."""
    keys = [key for key in scored(run) if key == ScoreKey(probe=key.probe) and key.probe not in ("linear", FINETUNE)]
    factors = [key for key in keys if key.kind == "factors"]
    context = {"factors": _charts(run, factors), "others": _charts(run, [key for key in keys if key not in factors])}
    return context if any(context.values()) else None


def _charts(run: LoadedRun, keys: list[ScoreKey]) -> list[dict[str, str]]:
    charts = []
    for key in keys:
        name = measure_of(run.scores[key])
        measure = MEASURES[name]
        levels = [Level("random", measure.scale * float(values(run, key)[0]))]
        lines, size = [over_time("", [run.scores[key]], name)], (330, 170)
        charts += chart(key.title, lines, levels, unit=measure.title, span=(0, measure.scale), size=size)
    return charts
