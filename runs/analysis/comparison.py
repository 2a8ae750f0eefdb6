"""Groups of runs beside one another: every seed, means, gains over the random encoder, and differences."""

import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import Any

import numpy as np

from envs.command.text import counted
from envs.errors import SettingError, unknown
from runs.analysis.bootstrap import Estimate, difference
from runs.analysis.grouping import comparison_step, grouped, refuse
from runs.analysis.reading import (
    LoadedRun,
    baseline,
    baseline_degenerate,
    degenerate,
    feature_count,
    measure_name,
    row_at,
    score,
    scored,
)
from runs.scores import BASELINES, FINETUNE, ScoreKey

SHOWN = 4  # runs that a message names
TASKS = ("linear", "transfer/*", "finetune/*")  # names that are compared where none are given


@dataclass(frozen=True)
class SeedScore:
    """One run of a group."""

    seed: int
    score: float
    random_encoder: float  # nan where it was not measured
    updates: int | None  # known where the run ended
    run: str  # its folder
    features: int | None = None  # numbers that the probe reads of an image, where that was recorded
    degenerate: bool = False  # whether its probe gives one answer, or found no regularisation that was best


@dataclass(frozen=True)
class GroupScores:
    """Runs that differ in their seed alone, on one task."""

    group: str
    score: Estimate
    gain: Estimate  # over the random encoder, paired within a run
    difference: Estimate | None  # from the group `against`, which has none itself
    seeds: list[SeedScore]


@dataclass(frozen=True)
class TaskComparison:
    """All groups on one task, the best first."""

    key: ScoreKey
    measure: str  # the name of the number in `MEASURES`
    frames: int  # that all runs had seen
    baseline: dict[str, float]  # means over all runs
    degenerate: list[str]  # the baselines of which, in any run, the probe says little
    groups: list[GroupScores]


@dataclass(frozen=True)
class Comparison:
    """Groups of runs on every task that they share."""

    against: str  # the group that the others are set against
    tasks: list[TaskComparison]

    def as_json(self) -> dict[str, Any]:
        """{against, tasks: {name: {measure, frames, baseline, groups}}}, with None for what was not measured."""
        return {"against": self.against, "tasks": {task.key.name: as_json(task) for task in self.tasks}}


def compare(
    runs: list[LoadedRun], *, tasks: tuple[str, ...] = TASKS, against: str | None = None, at: int | None = None
) -> Comparison:
    """Groups of runs on every score that they share and whose name fits one of the patterns `tasks`.

    Each mean, gain over the random encoder and difference from the group `against` has a bootstrap interval.

    Raises SettingError: what should not be averaged or set beside one another.
    """
    _check_sound(runs, tasks)
    keys = [key for key in _shared(runs, tasks) if tasks != TASKS or _is_due(runs, key, at=at)]
    refuse(runs, keys)
    groups = grouped(runs)
    if against is not None and against not in groups:
        raise unknown("--against", against, groups)
    against = against or ("bp" if "bp" in groups else next(iter(groups)))
    return Comparison(against, [_task(groups, key, against=against, at=at) for key in keys])


def _check_sound(runs: list[LoadedRun], tasks: tuple[str, ...]) -> None:
    """Raises SettingError where a score that somebody named is damaged; others are left out, and noted."""
    for run in runs:
        for name, line in run.damaged.items():
            key = ScoreKey.parse(name)
            if tasks != TASKS and key and key.encoder is None and any(fnmatch(key.name, task) for task in tasks):
                raise SettingError(line)


def _shared(runs: list[LoadedRun], patterns: tuple[str, ...]) -> list[ScoreKey]:
    each = [scored(run, patterns) for run in runs]
    if unscored := [run for run, keys in zip(runs, each, strict=True) if not keys]:
        raise _never_scored(unscored, patterns, are_all=len(unscored) == len(runs))
    shared = [key for key in each[0] if all(key in keys for keys in each)]
    if not shared:
        raise SettingError(f"{runs[0].path} and the others share no score; name what they share with --task")
    return shared


def _never_scored(unscored: list[LoadedRun], patterns: tuple[str, ...], *, are_all: bool) -> SettingError:
    """The error for runs that have no score that is compared."""
    on = f"on {' or '.join(patterns)}"
    if not are_all:
        named = ", ".join(str(run.path) for run in unscored[:SHOWN])
        others = f" and {counted(len(unscored) - SHOWN, 'other')}" if len(unscored) > SHOWN else ""
        verb, them = ("was", "it") if len(unscored) == 1 else ("were", "them")
        return SettingError(f"{named}{others} {verb} never scored {on}; leave {them} out")
    none = (
        f"of {counted(len(unscored), 'run')} none was ever scored {on}"
        if len(unscored) > 1
        else (f"{unscored[0].path} was never scored {on}")
    )
    if all(run.settings.get("eval.every") == 0 for run in unscored):
        return SettingError(f"{none}, by eval.every=0; begin runs with another eval.every")
    way_out = "let them come to their first evaluation" if patterns == TASKS else "name what they have with --task"
    return SettingError(f"{none}; {way_out}")


def _is_due(runs: list[LoadedRun], key: ScoreKey, *, at: int | None) -> bool:
    """Whether a score that nobody named is compared: fine-tuning is not done wherever a probe is."""
    with suppress(SettingError):
        return key.probe != FINETUNE or bool(comparison_step(runs, key, at=at))
    return False


def _task(groups: dict[str, list[LoadedRun]], key: ScoreKey, *, against: str, at: int | None) -> TaskComparison:
    runs = [run for group in groups.values() for run in group]
    frames = comparison_step(runs, key, at=at)
    scores = {label: {run.seed: score(run, key, at=frames) for run in group} for label, group in groups.items()}
    rows = []
    for label, group in groups.items():
        random = {run.seed: baseline(run, "random_encoder", key) for run in group}
        updates = {run.seed: run.facts.get("updates") if frames == run.frames else None for run in group}
        paths, own = {run.seed: str(run.path) for run in group}, scores[label]
        useless = {run.seed: degenerate(run, key, row=row_at(run, key, at=frames)) for run in group}
        counts = {run.seed: feature_count(run, key) for run in group}
        seeds = [
            SeedScore(seed, own[seed], random[seed], updates[seed], paths[seed], counts[seed], useless[seed])
            for seed in own
        ]
        gain = Estimate.of([own[seed] - random[seed] for seed in own])
        less = None if label == against else difference(own, scores[against])
        rows.append(GroupScores(label, Estimate.of([*own.values()]), gain, less, seeds))
    rows.sort(key=lambda row: -row.score.mean)
    levels = {name: np.array([baseline(run, name, key) for run in runs]) for name in BASELINES}
    means = {name: float(np.nanmean(level)) for name, level in levels.items() if not np.isnan(level).all()}
    little = [name for name in means if any(baseline_degenerate(run, name, key) for run in runs)]
    return TaskComparison(key, measure_name(runs[0], key), frames, means, little, rows)


def as_json(part: Any) -> dict[str, Any]:
    """A dataclass of a comparison for JSON and CSV, which know no nan."""

    def plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        shown = [pair for pair in pairs if pair[0] not in ("key", "values") and pair != ("paired", None)]
        return {name: number(of) if isinstance(of, float) else of for name, of in shown}

    return asdict(part, dict_factory=plain)


def number(value: float) -> float | None:
    """A number for JSON, which knows no nan."""
    return float(value) if math.isfinite(value) else None
