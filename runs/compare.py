"""Runs beside one another: python -m runs.compare A B ... [--json | --csv | --latex] [--figure PATH]

Places are runs, folders of runs (a sweep's), and patterns. Runs that differ in nothing but their seed make a group.
"""

import argparse
import csv
import io
import json
import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from envs.errors import SettingError, unknown
from runs.analysis.bootstrap import difference, interval
from runs.analysis.figures import comparison
from runs.analysis.reading import (
    MEASURES,
    Found,
    baseline,
    comparison_step,
    find,
    grouped,
    load,
    measure,
    refuse,
    score,
    scored,
    whole,
)
from streams.process.errors import guarded

TASKS = ("linear", "transfer/*", "finetune/*")
LATEX = {letter: f"\\{letter}" for letter in "_%&#${}"} | {  # what has another meaning there
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "²": "$^2$",
}
BASELINES = ("random_encoder", "pixels", "mean_colour", "chance")


def compare(runs: list[Found], *, tasks: tuple[str, ...] = TASKS, against: str | None = None, at: int | None = None):
    """Groups of runs, scored on every task they share, as one JSON object: {against, tasks: {task: {...}}}.

    Every group has its seeds, their mean, its gain over the random encoder (paired within a run) and its difference
    from the group `against` (paired by seed), each with a bootstrap interval.

    Raises:
        SettingError: what should not be averaged or set beside one another.
    """
    shared = [task for task in _shared(runs, tasks) if tasks != TASKS or _is_due(runs, task, at=at)]
    refuse(runs, shared)
    groups = grouped(runs)
    if against is not None and against not in groups:
        raise unknown("--against", against, groups)
    against = against or ("bp" if "bp" in groups else next(iter(groups)))
    return {"against": against, "tasks": {task: _task(groups, task, against=against, at=at) for task in shared}}


def _shared(runs: list[Found], patterns: tuple[str, ...]) -> list[str]:
    tasks = [scored(run, patterns) for run in runs]
    for run, found in zip(runs, tasks, strict=True):
        if not found:
            raise SettingError(f"{run.path} was never scored on {' or '.join(patterns)}; leave it out")
    shared = [task for task in tasks[0] if all(task in found for found in tasks)]
    if not shared:
        raise SettingError(f"{runs[0].path} and the others share no score; name what they share with --task")
    return shared


def _is_due(runs: list[Found], task: str, *, at: int | None) -> bool:
    """Whether a task that nobody named is to be told of: fine-tuning is not done wherever a probe is."""
    with suppress(SettingError):
        return not task.startswith("finetune/") or bool(comparison_step(runs, task, at=at))
    return False


def _task(groups: dict[str, list[Found]], task: str, *, against: str, at: int | None) -> dict[str, Any]:
    runs = [run for group in groups.values() for run in group]
    frames = comparison_step(runs, task, at=at)
    scores = {label: {run.seed: score(run, task, at=frames) for run in group} for label, group in groups.items()}
    rows = []
    for label, group in groups.items():
        values = np.array([*scores[label].values()])
        gains = np.array([scores[label][run.seed] - baseline(run, "random_encoder", task) for run in group])
        mean, low, high, paired = difference(scores[label], scores[against])
        rows.append(
            {
                "group": label,
                "score": _estimate(values.mean(), *interval(values)),
                "gain": _estimate(gains.mean(), *interval(gains)),
                "difference": None if label == against else _estimate(mean, low, high) | {"paired": paired},
                "seeds": [_seed(run, task, scores[label][run.seed], frames=frames) for run in group],
            }
        )
    rows.sort(key=lambda row: -row["score"]["mean"])
    levels = {
        name: _number(np.nanmean([baseline(run, name, task) for run in runs] or [np.nan]))
        for name in _known(runs, task)
    }
    return {"measure": measure(runs[0].series[f"eval/{task}"]), "frames": frames, "baseline": levels, "groups": rows}


def _known(runs: list[Found], task: str) -> list[str]:
    return [name for name in BASELINES if not all(math.isnan(baseline(run, name, task)) for run in runs)]


def _seed(run: Found, task: str, value: float, *, frames: int) -> dict[str, Any]:
    """One run of a group; its updates are known where it ended."""
    return {
        "seed": run.seed,
        "score": _number(value),
        "random_encoder": _number(baseline(run, "random_encoder", task)),
        "updates": run.facts.get("updates") if frames == run.frames else None,
        "run": str(run.path),
    }


def _estimate(mean: float, low: float, high: float) -> dict[str, float | None]:
    return {"mean": _number(mean), "low": _number(low), "high": _number(high)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The comparison as text, a table for each task: {title, head, rows, baselines}."""
    tables = []
    for task, each in found["tasks"].items():
        kind, updates = each["measure"], [_updates(row) for row in each["groups"]]
        alike = len(set(updates)) == 1
        title = f"{task}: {MEASURES[kind]}{', %,' if kind == 'top1' else ''} at {each['frames']:,} frames"
        title += f", {updates[0]} updates" if alike and updates[0] else ""
        head = ["", "mean", "over random", f"less {found['against']}", *([] if alike else ["updates"]), "seeds"]
        lines = []
        for row, count in zip(each["groups"], updates, strict=True):
            said = [_interval(row[key], kind, signed=key != "score") for key in ("score", "gain", "difference")]
            lines.append([row["group"], *said, *([] if alike else [count]), _seeds(row, kind)])
        tables.append({"title": title, "head": head, "rows": lines, "baselines": _baselines(each)})
    return tables


def table(found: dict[str, Any]) -> Group:
    """The comparison for a terminal."""
    parts = []
    for each in rows(found):
        shown = Table(title=each["title"], title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, name in enumerate(each["head"]):
            last = number == len(each["head"]) - 1
            shown.add_column(name, justify="right" if name and not last else "left", no_wrap=not last)
        for row in each["rows"]:
            shown.add_row(*row)
        parts += [shown, Text(each["baselines"])]
    return Group(*parts, Text(explained(found)))


def _interval(estimate: dict[str, Any] | None, kind: str, *, signed: bool = False) -> str:
    if estimate is None or estimate["mean"] is None:
        return "-"
    mean, low, high = (_shown(estimate[key], kind, signed=signed) for key in ("mean", "low", "high"))
    return mean if estimate["low"] is None else f"{mean} [{low}, {high}]"


def _shown(value: float | None, kind: str, *, signed: bool = False) -> str:
    """Shares in percent, anything else as it is."""
    if value is None:
        return "-"
    return f"{100 * value:{'+' if signed else ''}.1f}" if kind == "top1" else f"{value:{'+' if signed else ''}.3f}"


def _updates(row: dict[str, Any]) -> str:
    counts = sorted({seed["updates"] for seed in row["seeds"] if seed["updates"] is not None})
    return " to ".join(f"{count:,}" for count in dict.fromkeys([*counts[:1], *counts[-1:]]))


def _seeds(row: dict[str, Any], kind: str) -> str:
    return " ".join(_shown(seed["score"], kind) for seed in row["seeds"])


def _baselines(each: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_shown(level, each['measure'])}" for name, level in each["baseline"].items()
    )


def explained(found: dict[str, Any]) -> str:
    rows = [row for each in found["tasks"].values() for row in each["groups"]]
    text = "In brackets: 95 % bootstrap intervals over seeds"
    if any(row["difference"] for row in rows):
        unpaired = any(row["difference"] and not row["difference"]["paired"] for row in rows)
        text += "; differences are paired by seed" + (" where two or more are shared" if unpaired else "")
    return text + ("; one seed alone has none." if any(len(row["seeds"]) < 2 for row in rows) else ".")


def as_csv(found: dict[str, Any]) -> str:
    """One line for each task, group and seed."""
    text = io.StringIO()
    names = ("task", "measure", "frames", "group", "seed", "score", "random_encoder", "updates", "run")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for task, each in found["tasks"].items():
        for row in each["groups"]:
            for seed in row["seeds"]:
                writer.writerow(
                    {"task": task, "measure": each["measure"], "frames": each["frames"], "group": row["group"], **seed}
                )
    return text.getvalue()


def as_latex(found: dict[str, Any]) -> str:
    """A booktabs table: a row for each group, a column for each task, the random encoder last."""
    tasks = found["tasks"]
    labels = [row["group"] for row in next(iter(tasks.values()))["groups"]]
    lines = [r"\begin{tabular}{l" + "r" * len(tasks) + "}", r"\toprule"]
    lines += [
        " & ".join(["", *(_escaped(f"{task}, {MEASURES[each['measure']]}") for task, each in tasks.items())]) + r" \\",
        r"\midrule",
    ]
    for label in labels:
        cells = [next(row for row in each["groups"] if row["group"] == label)["score"] for each in tasks.values()]
        said = [_interval(cell, each["measure"]) for cell, each in zip(cells, tasks.values(), strict=True)]
        lines.append(" & ".join([_escaped(label), *said]) + r" \\")
    random = [_shown(each["baseline"].get("random_encoder"), each["measure"]) for each in tasks.values()]
    lines += [r"\midrule", " & ".join(["random encoder", *random]) + r" \\", r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.translate(str.maketrans(LATEX))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.compare", description="Runs beside one another, with intervals."
    )
    parser.add_argument("places", nargs="+", help="runs, folders of runs, or patterns")
    parser.add_argument("--against", help="the group that others are set against (default: bp, else the first)")
    parser.add_argument("--at", type=int, help="compare at this many frames (default: where all have ended)")
    parser.add_argument(
        "--task", action="append", help=f"what to compare, a pattern; may be repeated (default: {', '.join(TASKS)})"
    )
    kind = parser.add_mutually_exclusive_group()
    for name, help_text in (
        ("json", "one JSON object"),
        ("csv", "a line for every seed"),
        ("latex", "a booktabs table"),
    ):
        kind.add_argument(f"--{name}", action="store_true", help=f"{help_text} instead of a table")
    parser.add_argument("--figure", type=Path, help="where to draw it: .png, .pdf or .svg")
    told = parser.parse_args()
    found = guarded(_compared, told, place="--figure", stopped="nothing was kept")
    if told.json:
        print(json.dumps(found, indent=2, allow_nan=False))  # noqa: T201
    elif told.csv or told.latex:
        print(as_csv(found) if told.csv else as_latex(found), end="")  # noqa: T201
    else:
        Console().print(table(found))


def _compared(told: argparse.Namespace) -> dict[str, Any]:
    """What the command line asks for, drawn where that is asked for too."""
    tasks = tuple(told.task or TASKS)
    series = tuple(f"{kind}{task}" for task in tasks for kind in ("eval/", "baseline/*/"))
    every = [load(path, series=series) for path in find(told.places)]
    runs, short = whole(every, named=told.places, at=told.at)
    for run in short:
        why = f"it has come to {run.frames:,} frames" if scored(run) else "it was never scored on what is compared"
        print(f"{run.path} is passed over: {why}", file=sys.stderr)  # noqa: T201
    found = compare(runs, tasks=tasks, against=told.against, at=told.at)
    if told.figure:
        comparison(found, told.figure)
    return found


if __name__ == "__main__":
    main()
