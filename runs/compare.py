"""Runs beside one another: python -m runs.compare A B ... [--json | --csv | --latex] [--figure PATH]

Places are runs, folders of runs (a sweep's), and patterns. Runs that differ in nothing but their seed make a group.
"""

import argparse
import json
from pathlib import Path

from runs.analysis.comparison import TASKS, Comparison, compare
from runs.analysis.figures import draw_comparison
from runs.analysis.grouping import whole
from runs.analysis.reading import find, load, scored
from runs.analysis.tables import as_csv, as_latex, comparison_table
from runs.scores import group_patterns
from runs.store.mirror import Mirror
from streams.process.errors import guarded
from streams.process.terminal import Terminal, say, visible


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.compare", description="Runs beside one another, with intervals."
    )
    parser.add_argument("places", nargs="+", help="runs, folders of runs, or patterns, also at URLs as s3://")
    parser.add_argument("--against", help="the group that others are set against (default: bp, else the first)")
    parser.add_argument("--at", type=int, help="compare at this many frames (default: where all have ended)")
    parser.add_argument(
        "--task", action="append", help=f"what to compare, a pattern; may be repeated (default: {', '.join(TASKS)})"
    )
    kind = parser.add_mutually_exclusive_group()
    shapes = {"json": "one JSON object", "csv": "a line for every seed", "latex": "a booktabs table"}
    for name, help_text in shapes.items():
        kind.add_argument(f"--{name}", action="store_true", help=f"{help_text} instead of a table")
    parser.add_argument("--figure", type=Path, help="where to draw it: .png, .pdf or .svg")
    args = parser.parse_args()
    guarded(_compare, args, place="--figure", stopped="nothing was kept")


def _compare(args: argparse.Namespace) -> None:
    with Mirror() as mirror:
        comparison = _compared(args, mirror)
        if args.json:
            print(mirror.shown(json.dumps(comparison.as_json(), indent=2, allow_nan=False)))  # noqa: T201
        elif args.csv or args.latex:
            text = as_csv(comparison) if args.csv else as_latex(comparison)
            print(visible(mirror.shown(text)), end="")  # noqa: T201
        else:
            Terminal().print(comparison_table(comparison))


def _compared(args: argparse.Namespace, mirror: Mirror) -> Comparison:
    """The comparison that the command line asks for, drawn where it asks for that too."""
    tasks, places = tuple(args.task or TASKS), mirror.local(args.places)
    every = [load(path, series=group_patterns(tasks)) for path in find(places)]
    runs, short = whole(every, named=places, at=args.at)
    for run in short:
        why = f"it has come to {run.frames:,} frames" if scored(run) else "it was never scored on what is compared"
        say([mirror.shown(f"{run.path} is passed over: {why}")])
    say(mirror.shown(note) for run in runs for note in run.notes)
    comparison = compare(runs, tasks=tasks, against=args.against, at=args.at)
    if args.figure:
        draw_comparison(comparison, args.figure)
    return comparison


if __name__ == "__main__":
    main()
