"""Every score: a table of what was measured first and last, beside the baselines."""

from typing import Any

import numpy as np

from runs.analysis.reading import LoadedRun, baseline, scored, values
from runs.page.section import section
from runs.scores import BASELINES, MEASURES, measure_of


@section(40, each_run=True)
def every_score(run: LoadedRun) -> dict[str, Any] | None:
    """A row for each score; the random encoder's is the first."""
    keys = scored(run)
    if not keys:
        return None
    others = list(BASELINES)[1:]
    others = [name for name in others if any(np.isfinite(baseline(run, name, key)) for key in keys)]
    rows = []
    for key in keys:
        measure, numbers = MEASURES[measure_of(run.scores[key])], values(run, key)
        last = measure.text(numbers[-1], missing="") if len(numbers) > 1 else ""
        levels = [measure.text(baseline(run, name, key), missing="") for name in others]
        rows.append([key.label, measure.title, last, measure.text(numbers[0], missing=""), *levels])
    return {"head": ["", "last", "first", *(BASELINES[name] for name in others)], "rows": rows}
