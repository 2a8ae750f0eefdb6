"""Sections of tables: groups beside one another, every score, and how to repeat the run."""

import shlex
from typing import Any

import numpy as np

from envs.errors import SettingError
from runs.analysis.comparison import TASKS, compare
from runs.analysis.grouping import whole
from runs.analysis.reading import (
    LoadedRun,
    baseline,
    baseline_degenerate,
    count_text,
    degenerate,
    feature_count,
    marked,
    measure,
    scored,
    values,
)
from runs.analysis.tables import explained, text_tables
from runs.page.section import Groups, section
from runs.scores import BASELINES, MARK, MARK_NOTE, group_patterns
from runs.store.folder import RunFolder


@section(20, series=group_patterns(TASKS))
def comparison(groups: Groups) -> dict[str, Any] | None:
    """All runs that have come to their end, where there are several; before any has, all."""
    runs, _ = whole([run for group in groups.values() for run in group], named=(), at=None)
    if len(runs) < 2:
        return None
    try:
        compared = compare(runs)
    except SettingError as error:
        return {"text": f"Not set beside one another: {error}", "tables": []}
    return {"text": explained(compared), "tables": text_tables(compared)}


@section(40, each_run=True)
def every_score(run: LoadedRun) -> dict[str, Any] | None:
    """A row for each score; the random encoder's is the first."""
    keys = scored(run)
    if not keys:
        return None
    others = [name for name in list(BASELINES)[1:] if any(np.isfinite(baseline(run, name, key)) for key in keys)]
    rows = []
    for key in keys:
        unit, numbers = measure(run, key), values(run, key)
        last = marked(unit.text(numbers[-1], missing=""), degenerate(run, key)) if len(numbers) > 1 else ""
        first = marked(unit.text(numbers[0], missing=""), degenerate(run, key, row=0))
        levels = [
            marked(unit.text(baseline(run, name, key), missing=""), baseline_degenerate(run, name, key))
            for name in others
        ]
        rows.append([key.label, unit.title, last, first, *levels, count_text(feature_count(run, key))])
    note = MARK_NOTE if any(cell.endswith(MARK) for row in rows for cell in row[2:]) else ""
    return {
        "head": ["", "", "last", "first", *(BASELINES[name] for name in others), "features"],
        "rows": rows,
        "note": note,
    }


@section(100, each_run=True)
def repeat(run: LoadedRun) -> dict[str, Any]:
    """All that another run needs to come to the same weights."""
    folder = RunFolder(run.path)
    return {
        "command": f"python -m learners.online {shlex.join(folder.overrides)}".strip(),
        "versions": ", ".join(f"{name} {version}" for name, version in folder.versions.items() if version is not None),
        "sha": run.facts.get("weights_sha256", "unknown"),
        "settings": [(name, value) for name, value in run.settings.items() if value is not None],
    }
