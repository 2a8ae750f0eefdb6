"""The table of experiment=rules or experiment=losses: scores with intervals beside what an update costs.

    python -m learners.online experiment=rules
    python benchmarks/rules.py results/rules --varied learner --figure docs/images/rules.png
    python benchmarks/rules.py results/losses --varied loss --figure docs/images/losses.png

MACs are counted. The time of an update is that of one batch of the run's size on this machine, all in turns, in units
of bp's or of the hinge's; so "cost" to the level is what a score took in such units: updates until the first evaluation
that reaches it, times the time of one.
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from machine import in_turns, markdown, noise_pairs, show

from learners.diagnostics.costs import macs
from learners.online import PROGRAM
from learners.run import learner_of, remembers
from runs.analysis.bootstrap import Estimate
from runs.analysis.comparison import TaskComparison, compare
from runs.analysis.figures import draw_comparison
from runs.analysis.reading import LoadedRun, find, load
from runs.scores import WORLD
from streams.process.errors import keep_memory

ROUNDS, UPDATES = 7, 3  # of each row in a round
FIRST = ("bp", "hinge")  # rows that the others' time is set beside
HEAD = ("", "linear probe", "over random", "unseen categories", "MACs a pair", "time", "to the level: frames", "cost")


def cost(name: str, varied: str) -> tuple[Callable[[], Any], float]:
    """An update of the default run but for this choice, of as many rows as it has there, and its MACs a pair."""
    settings = PROGRAM.read([f"{varied}={name}", "device=cpu"])
    alone = remembers(settings)  # frames come one at a time, and are compared with those of steps before
    rows = settings.env.num_worlds if settings.memory.name == "none" else settings.memory.batch
    pairs, learner = noise_pairs(rows, settings.env.size), learner_of(settings)
    pairs = pairs._replace(first=None) if alone else pairs
    for _ in range(settings.pairs.gap + 1 if alone else 0):
        learner.update(pairs)
    return partial(learner.update, pairs), macs(learner, pairs)


def frames_to(level: float, runs: list[LoadedRun]) -> float | None:
    """Frames until the first evaluation that reaches a level, the mean over seeds; None where one never does."""
    reached = []
    for run in runs:
        series = run.scores[WORLD]
        frames = series["frames"][series["top1"] >= level]
        reached.append(float(frames[0]) if len(frames) else None)
    known = [frames for frames in reached if frames is not None]
    return statistics.mean(known) if len(known) == len(runs) else None


def updates_at(frames: float, run: LoadedRun) -> float:
    """The updates after so many frames of a run, whose first few steps made no pairs."""
    steps = (run.frames - frames) / run.settings["env.num_worlds"]
    return run.facts["updates"] - steps * run.settings.get("memory.updates", 1)


def text(of: Estimate, *, signed: bool = False) -> str:
    """A mean and its interval in per cent."""
    form = "{:+.1f} [{:+.1f}, {:+.1f}]" if signed else "{:.1f} [{:.1f}, {:.1f}]"
    return form.format(*(100 * number for number in (of.mean, of.low, of.high)))


def main() -> None:
    """Prints the table, keeps benchmarks/results/NAME.json and draws the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of the runs of the experiment")
    parser.add_argument("--varied", choices=["learner", "loss"], default="learner", help="what a row is")
    parser.add_argument("--level", type=float, default=50.0, help="top-1, per cent, until which frames are counted")
    parser.add_argument("--figure", type=Path, help="where to draw it: .png, .pdf or .svg")
    args = parser.parse_args()
    keep_memory()
    every = [load(path) for path in find([str(args.folder)])]
    runs = [run for run in every if run.frames >= run.settings["run.frames"]]
    comparison = compare(runs, against=None)
    own, unseen = (_task(comparison.tasks, name) for name in ("linear", "transfer/unseen_categories"))
    other = {row.group: row for row in unseen.groups}
    names = {row.group: str(_run(runs, row.seeds[0].run).settings[f"{args.varied}.name"]) for row in own.groups}
    built = {name: cost(name, args.varied) for name in names.values() if name != "none"}
    jobs = {name: lambda update=update: [update() for _ in range(UPDATES)] for name, (update, _) in built.items()}
    took = {name: statistics.median(times) for name, times in in_turns(jobs, rounds=ROUNDS, warm=2).items()}
    beside = next(name for name in (*FIRST, *took) if name in took)
    results: dict[str, dict[str, Any]] = {}
    rows = []
    for row in own.groups:
        name, group = names[row.group], [_run(runs, seed.run) for seed in row.seeds]
        frames = frames_to(args.level / 100, group)
        time = took[name] / took[beside] if name in took else None
        updates = None if frames is None else updates_at(frames, group[0])
        results[name] = {
            "linear": row.score.values,
            "gain": row.gain.values,
            "unseen_categories": other[row.group].score.values,
            "macs": built[name][1] if name in built else 0,
            "time": time,
            "frames_to_level": frames,
            "cost_to_level": updates and time and updates * time,
        }
        rows.append(
            (
                name,
                text(row.score),
                text(row.gain, signed=True),
                text(other[row.group].score),
                f"{results[name]['macs'] / 1e6:.0f} M" if name in built else "",
                f"{time:.2f}" if time else "",
                "" if frames is None else f"{frames:,.0f}",
                f"{results[name]['cost_to_level']:,.0f}" if frames and time else "",
            )
        )
    if args.figure:
        draw_comparison(comparison, args.figure)
    title = f"{own.frames:,} frames, {len(own.groups[0].seeds)} seeds; the level is {args.level:.0f} %"
    notes = [f"{len(every) - len(runs)} unfinished runs are left out"] if len(every) > len(runs) else []
    notes += markdown(HEAD, rows)
    show(args.folder.name, {"rows": results, "level": args.level}, *notes, title=title, head=HEAD, rows=rows)


def _task(tasks: list[TaskComparison], name: str) -> TaskComparison:
    return next(task for task in tasks if task.key.name == name)


def _run(runs: list[LoadedRun], path: str) -> LoadedRun:
    return next(run for run in runs if str(run.path) == path)


if __name__ == "__main__":
    main()
