"""One run summed up: as the JSON object that scripts rely on, and as tables for a terminal."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from runs.analysis.comparison import number
from runs.analysis.reading import (
    LoadedRun,
    baseline,
    baseline_degenerate,
    count_text,
    degenerate,
    feature_count,
    load_numbers,
    marked,
    measure,
    measure_name,
    planned_frames,
    probe_keys,
    scored,
    task_keys,
    values,
)
from runs.analysis.tables import new_table
from runs.evaluation.continual import score_matrix, summed_up
from runs.loggers.logger import ScoreTable
from runs.scores import BASELINES, FINETUNE, MARK_NOTE, MEASURES, WORLD, ScoreKey
from runs.store.folder import RunFolder

FEATURES = "features"  # the column of how many numbers a probe reads
SHARES = ("world", "stream", "learner", "eval")


def summary(path: Path) -> dict[str, Any]:
    """The run in a folder as `summed` gives it. Raises SettingError: no run, of another format, or damaged."""
    return summed(load_numbers(path))


def summed(run: LoadedRun) -> dict[str, Any]:
    """A run as one JSON object, None for what was not measured."""
    keys = [WORLD, *(key for key in scored(run) if key != WORLD)]
    planned, continual, shares = planned_frames(run.path), _continual(run), {part: _last(run, part) for part in SHARES}
    return {
        **{name: run.facts.get(name) for name in ("run", "learner", "loss", "seed")},
        **{name: run.facts.get(name) for name in ("frames", "updates", "device", "weights_sha256")},
        "complete": None if planned is None else run.frames >= planned,
        "eval": _tree({key: _curve(run, key) for key in keys}),
        "baseline": {name: _tree(_levels(run, name, keys)) for name in BASELINES},
        "speed": {"frames_per_s": _last(run, "frames_per_s"), "loop_share": shares},
        **({"continual": continual} if continual else {}),
    }


def _continual(run: LoadedRun) -> dict[str, Any]:
    """Scores of every phase after every phase of a world that drifts, summed up; empty where it does not."""
    drift = run.facts.get("drift", {})
    phases = [ScoreKey(split=f"phase{number}") for number in range(drift.get("phases", 0))]
    if not phases or not all(key in run.scores for key in phases):
        return {}
    return summed_up(run.scores[phases[0]]["frames"], np.stack([values(run, key) for key in phases], 1), **drift)


def _curve(run: LoadedRun, key: ScoreKey) -> dict[str, list]:
    """{frames, top1} of labels, {frames, r2} of numbers."""
    if key not in run.scores:
        return {"frames": [], "top1": []}
    series = run.scores[key]
    name = next(name for name in MEASURES if name in series)
    return {"frames": series["frames"].tolist(), name: [number(value) for value in series[name]]}


def _levels(run: LoadedRun, name: str, keys: Iterable[ScoreKey]) -> dict[ScoreKey, float | None]:
    levels = {key: number(baseline(run, name, key)) for key in keys}
    return {key: level for key, level in levels.items() if level is not None or key == WORLD}


def _tree(values: Mapping[ScoreKey, Any]) -> dict[str, Any]:
    """{linear: a, transfer: {digits: b}, blocks: {knn: {block1: c}}} by the parts of the names.

    A probe that reads the own task and others is {adam: {linear: a, transfer: {digits: b}}}, as `finetune` always is.
    """
    tree: dict[str, Any] = {"linear": None, "transfer": {}}
    names = {key.name for key in values}
    for key, value in values.items():
        *branch, leaf = key.name.split("/")
        if any(name.startswith(f"{key.name}/") for name in names):
            branch, leaf = [*branch, leaf], "linear"
        node = tree
        for part in branch:
            node = node.setdefault(part, {})
        node[leaf] = value
    return tree


def _last(run: LoadedRun, name: str) -> float | None:
    series = run.series.get("speed", {})
    return number(series[name][-1]) if name in series else None


def unfinished(run: LoadedRun) -> str:
    """A line where a run has not seen all of its frames, with the way to go on; else empty."""
    planned, folder = planned_frames(run.path), RunFolder(run.path)
    if planned is None or run.frames >= planned:
        return ""
    where = f"{run.frames:,} of {planned:,} frames"
    if folder.is_being_written:
        return f"unfinished, and still running: it is at {where}"
    return f"stopped at {where}; python -m learners.online run.resume={shlex.quote(str(run.path))} goes on"


def _not_scored(run: LoadedRun) -> str:
    """Why there are no scores, of a run whose settings may not be there to ask."""
    return "not scored yet" if unfinished(run) else "never scored (eval.every=0)"


def final_scores(run: LoadedRun) -> ScoreTable:
    """Every score that a run ended with, as a share or R², beside the random encoder's."""
    keys = scored(run)
    last = [(number(values(run, key)[-1]), number(baseline(run, next(iter(BASELINES)), key))) for key in keys]
    rows = [[key.name, measure_name(run, key), *both] for key, both in zip(keys, last, strict=True)]
    return ScoreTable(("score", "measure", "last", "random_encoder"), rows)


def summary_table(run: LoadedRun) -> Group:
    """Scores beside their baselines, and the speed, for a terminal."""
    keys, name, learner = scored(run), run.facts["run"], run.facts["learner"]
    if WORLD not in keys:
        return Group(f"{name}: {_not_scored(run)}", *_facts(run))
    linear = task_keys(run)
    measured = [each for each in BASELINES if any(baseline(run, each, key) >= 0 for key in linear)]
    said = _features_of(run, [*linear, *probe_keys(run)])
    title = f"{name}: linear probe top-1, %{said or ''}"
    main = _table(
        title, learner, "gain", *(BASELINES[each] for each in measured), *([FEATURES] if said is None else [])
    )
    for key in linear:
        levels = (_level(run, each, key) for each in measured)
        main.add_row(key.task_label, *_last_and_gain(run, key), *levels, *_width(run, key, said))
    tuned = _table("fine-tuned on the task, top-1, %", learner, "gain", "from scratch", "linear probe")
    for key in [key for key in keys if key.probe == FINETUNE]:
        probe = _last_and_gain(run, replace(key, probe=WORLD.probe))[0]
        tuned.add_row(key.task_label, *_last_and_gain(run, key), _level(run, "random_encoder", key), probe)
    title = f"other probes, top-1 in % or R²{said or ''}"
    others = _table(title, learner, "gain", "random encoder", *([FEATURES] if said is None else []))
    for key in probe_keys(run):
        unit = " (R²)" if "r2" in run.scores[key] else ""
        random = _level(run, "random_encoder", key)
        others.add_row(key.label + unit, *_last_and_gain(run, key), random, *_width(run, key, said))
    tables = [table for table in (main, tuned, others, _blocks(run, keys)) if table.rows]
    marks = [degenerate(run, key) or any(baseline_degenerate(run, name, key) for name in measured) for key in keys]
    return Group(*tables, *_phases(run), *([Text(MARK_NOTE)] if any(marks) else []), *_facts(run))


def _features_of(run: LoadedRun, keys: list[ScoreKey]) -> str | None:
    """How many features all of these scores read, for a title (empty where not recorded); None where they differ."""
    counts = list({feature_count(run, key) for key in keys})
    if len(counts) > 1:
        return None
    return f", {count_text(counts[0])} features" if counts and counts[0] else ""


def _width(run: LoadedRun, key: ScoreKey, said: str | None) -> list[str]:
    """The cell of how many features a score read, where the title does not say it."""
    return [count_text(feature_count(run, key))] if said is None else []


def _table(title: str, *columns: str) -> Table:
    """An empty table whose first column names its rows."""
    table = new_table(title)
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=name.startswith("block"))
    return table


def _blocks(run: LoadedRun, keys: list[ScoreKey]) -> Table:
    """The probes of every block, a row for each, and how far above the random encoder's each score lies."""
    blocks = sorted({key.block for key in keys if key.block is not None})
    table = _table("every block, top-1, %, and its gain", *(f"block {block}" for block in blocks))
    for probe in dict.fromkeys(key.probe for key in keys if key.block is not None):
        row = [ScoreKey(probe=probe, block=block) for block in blocks]
        table.add_row(row[0].probe_label, *(" ".join(_last_and_gain(run, key)) if key in keys else "-" for key in row))
    return table


def _phases(run: LoadedRun) -> list[Any]:
    """The score of every phase after every segment of a world that drifts, with forgetting and transfer."""
    continual = _continual(run)
    if not continual.get("matrix"):
        return []
    rows = {f"after segment {i} (phase {continual['shown'][i]})": row for i, row in enumerate(continual["matrix"])}
    marks = dict(zip(["random encoder", *rows], _phase_marks(run), strict=False))
    rows |= {"random encoder": continual["random_encoder"], "forgetting": continual["forgetting"]}
    rows |= {"mean over the run": continual["anytime"]}
    names = (f"phase {number}" for number in range(len(continual["random_encoder"])))
    table, text = _table("linear probe top-1 by phase, %", *names), MEASURES["top1"].text
    for label, row in rows.items():
        table.add_row(label, *map(marked, map(text, row), marks.get(label, [False] * len(row))))
    backward, forward = (text(continual[f"{way}_transfer"]) for way in ("backward", "forward"))
    return [table, Text(f"transfer between phases, points: backward {backward}, forward {forward}")]


def _phase_marks(run: LoadedRun) -> list[list[bool]]:
    """Whether the random encoder's scores of phases, and those after each segment, say little.

    Empty where that was not recorded.
    """
    drift = run.facts["drift"]
    phases = [run.scores[ScoreKey(split=f"phase{number}")] for number in range(drift["phases"])]
    if not all("degenerate" in series for series in phases):
        return []
    marks = np.stack([series["degenerate"] for series in phases], 1)
    after = score_matrix(phases[0]["frames"], marks, segment=drift["segment"])
    return (np.concatenate([marks[:1], after]) > 0.5).tolist()


def _tested(run: LoadedRun) -> list[str]:
    """On how many images of how many classes each task was scored, where that was recorded."""
    sizes = {key: run.scores.get(replace(key, encoder="chance"), {}) for key in task_keys(run)}
    texts = [
        f"{key.task_label} {int(series['images'][0]):,} images of {int(series['classes'][0])} classes"
        for key, series in sizes.items()
        if {"images", "classes"} <= series.keys()
    ]
    return [f"scored on: {'; '.join(texts)}"] if texts else []


def _facts(run: LoadedRun) -> list[str]:
    frames, updates = (run.facts.get(name) or 0 for name in ("frames", "updates"))
    lines = [
        *_tested(run),
        f"{frames:,} frames, {updates:,} updates, seed {run.facts.get('seed')}, {run.facts.get('device')}",
    ]
    if speed := _last(run, "frames_per_s"):
        shares = ", ".join(f"{part} {MEASURES['top1'].text(_last(run, part))} %" for part in SHARES)
        lines.append(f"{speed:,.0f} frames/s; time: {shares}")
    return lines


def _last_and_gain(run: LoadedRun, key: ScoreKey) -> tuple[str, str]:
    """The last score, and how far above the random encoder it lies."""
    last, text = values(run, key)[-1], measure(run, key).text
    return marked(text(last), degenerate(run, key)), text(last - baseline(run, "random_encoder", key), signed=True)


def _level(run: LoadedRun, name: str, key: ScoreKey) -> str:
    return marked(measure(run, key).text(baseline(run, name, key)), baseline_degenerate(run, name, key))
