"""Block by block: the probes of every block, before and after learning."""

from dataclasses import replace
from typing import Any

import numpy as np

from runs.analysis.reading import LoadedRun, scored, values
from runs.page.charts import Line, chart
from runs.page.section import section
from runs.scores import MEASURES, measure_of


@section(50, each_run=True)
def blocks(run: LoadedRun) -> dict[str, Any] | None:
    """A chart for each probe, a line for each evaluation that made it: the first and the last."""
    keys = [key for key in scored(run) if key.block is not None]
    charts = []
    for probe in sorted({key.probe for key in keys}, key=[key.probe for key in keys].index):
        rows = sorted((key for key in keys if key.probe == probe), key=lambda key: key.block)
        measure = MEASURES[measure_of(run.scores[rows[0]])]
        times = {-1: "after learning", 0: "before learning"}
        if len(values(run, rows[0])) == 1:
            del times[-1]
        numbers = np.array([key.block for key in rows])
        lines = [
            Line(name, numbers, measure.scale * np.array([values(run, key)[at] for key in rows]))
            for at, name in times.items()
        ]
        charts += chart(replace(rows[0], block=None).title, lines, unit=measure.title, x_label="block")
    return {"charts": charts} if charts else None
