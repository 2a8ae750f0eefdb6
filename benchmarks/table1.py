"""Table 1 of Tang, Yang and Amit (2022), row by row, from batches of views or from a stream of moving pictures.

    DATA=FOLDER python benchmarks/table1.py --short                  # a small network and budget, on two cores
    DATA=FOLDER python benchmarks/table1.py --jobs 4 device=cuda     # the paper's protocol
    DATA=FOLDER python benchmarks/table1.py --short --stream --rows bp,dtp,none
    DATA=FOLDER python benchmarks/table1.py --group table1_ten_epochs --seeds 0 --rates 1e-4,3e-4,1e-3 \
        env.num_worlds=125 run.frames=500_000 eval.every=500_000

FOLDER holds cifar100_train.npz, cifar10_train.npz and cifar10_test.npz (images, labels). Rows are the experiments of
runs/conf/experiment/table1; further arguments are settings for every run. Stopped, it goes on where it was; begun
again, runs that have ended are passed over, and so is what benchmarks/results/GROUP.json knows of the same settings
already, from another machine perhaps. Every row sees as many frames in as many updates. With --rates each row has the
learning rate of these that does best on validation pictures after a tenth of its run, with seed 0. In full, the probe
of a row reads 45,000 pictures, which takes several GB of memory: on a CPU, see that each of the `--jobs` has it.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from machine import keep, kept
from rich.console import Console
from rich.table import Table

from envs.errors import SettingError, unknown
from learners.online import PROGRAM
from runs.analysis.bootstrap import interval
from runs.analysis.reading import load
from runs.analysis.summary import summary
from runs.scores import ScoreKey

PAPER = {  # linear probe on CIFAR-10, test top-1 %
    "bp": 71.44, "dtp": 71.29, "rf": 61.70, "gll": 72.76, "gll_rf": 67.83, "rll": 71.35, "rll_rf": 65.94,
    "bp_block5": 70.35, "dtp_block5": 67.74, "rf_block5": 63.61, "gll_block5": 71.14, "gll_rf_block5": 66.52,
    "rll_block5": 71.17, "rll_rf_block5": 65.49, "simclr": 72.44, "clapp": 69.05, "clapp_gll": 68.93, "none": 61.23,
}  # fmt: skip
UPDATES, BATCH = 480, 128  # of the short table
SHORT = (
    "network=conv4",
    "env.pictures=10_000",
    f"env.num_worlds={BATCH}",
    "learner.lr=1e-3",
    f"run.frames={UPDATES * BATCH}",
    f"run.save_every={UPDATES * BATCH}",
    "run.log_every=6_400",
    f"eval.every={UPDATES * BATCH}",
    "eval.train=2_000",  # the probe of raw pixels costs as much as a row, where it is more
    "eval.validation=500",
    "eval.test=5_000",
)
SEARCH_SHARE = 10  # a search's runs are so much shorter
SEARCH_SIZES = ("eval.train=2_000", "eval.validation=4_000", "eval.test=200")
SHORT_ALL_NEGATIVES = ("loss.anchors=both", "loss.average=violators")  # the paper's form of the hinge for conv4


def command(row: str, name: str, args: argparse.Namespace, settings: Sequence[str]) -> list[str]:
    """What makes one run of a row, or goes on with it, or passes over it."""
    hinge_of_all = "block5" not in row and row not in ("simclr", "clapp", "clapp_gll", "none")
    short = (*SHORT, *(SHORT_ALL_NEGATIVES if hinge_of_all else ())) if args.short else ()
    return [
        *(sys.executable, "-m", "learners.online", "-m", f"experiment={args.folder}/{row}"),
        *(f"eval.data_root={args.data}", f"results_dir={args.results}", f"run.group={args.group}"),
        *(f"run.name={name}", *short, *settings),
    ]


def run_all(args: argparse.Namespace, settings: Sequence[str], seed: int, *, console: Console) -> None:
    """Every row with a seed, so many at once, each after its searches; what fails is reported, and the others go on."""
    began = perf_counter()

    def one(row: str) -> str:
        start = perf_counter()
        for line in lacking(row, seed, args, settings):
            done = subprocess.run(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                why = done.stderr[-500:] or f"exit status {done.returncode} (-9: killed, perhaps for want of memory)"
                return f"{row}, seed {seed} failed: {why}"
        return f"{row}, seed {seed}: {perf_counter() - start:.0f} s"

    environment = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // args.jobs))} | os.environ
    with ThreadPoolExecutor(args.jobs) as pool:
        begun = [pool.submit(one, row) for row in args.rows]
        try:
            for count, job in enumerate(as_completed(begun), 1):
                left = (perf_counter() - began) / count * (len(begun) - count) / 60
                console.print(f"{job.result()} ({count} of {len(begun)}; about {left:.0f} min to go)", highlight=False)
                keep_all(args, settings)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)  # the runs have heard it too, and save
            raise


def lacking(row: str, seed: int, args: argparse.Namespace, settings: Sequence[str]) -> Iterator[list[str]]:
    """The commands, one after the other, whose runs a row still lacks: those of its search, then its own."""
    if seed in collected(args, settings).get(row, {}).get("seeds", {}):
        return
    frames = args.search_frames.get(row)
    shorter = (f"run.frames={frames}", f"run.save_every={frames}", f"eval.every={frames}", *SEARCH_SIZES, "seed=0")
    for rate in args.rates if frames else ():
        if rate not in found(row, args, settings):
            yield command(row, searched(row, rate), args, [*settings, *shorter, f"learner.lr={rate}"])
    scores = found(row, args, settings)
    chosen = [f"learner.lr={max(scores, key=scores.__getitem__)}"] if scores else []
    yield command(row, f"{row}-seed{seed}", args, [*settings, *chosen, f"seed={seed}"])


def search_frames(args: argparse.Namespace, settings: Sequence[str]) -> dict[str, int]:
    """The frames of a search's runs, {row: frames}, of the rows that have one. Raises SettingError."""
    rows = [row for row in args.rows if args.rates and row != "none"]
    own = [*described(args, settings), f"eval.data_root={args.data}"]
    return {row: PROGRAM.read([f"experiment={args.folder}/{row}", *own]).run.frames // SEARCH_SHARE for row in rows}


def searched(row: str, rate: str) -> str:
    """The name of a run of a search."""
    return f"{row}-lr{rate}"


def known(args: argparse.Namespace, settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows that benchmarks/results/GROUP.json has of the same settings, perhaps from another machine."""
    before = kept(args.group)
    same = before.get("settings") == described(args, settings) and before.get("search_share") == SEARCH_SHARE
    return before["rows"] if same else {}


def described(args: argparse.Namespace, settings: Sequence[str]) -> list[str]:
    """The settings that all rows share."""
    return [*(SHORT if args.short else ()), *settings]


def found(row: str, args: argparse.Namespace, settings: Sequence[str]) -> dict[str, float]:
    """What each learning rate of a row came to on validation pictures, {rate: top-1}, where its run has ended."""
    scores = dict(known(args, settings).get(row, {}).get("validation_of_rates", {}))
    for rate in args.rates:
        with suppress(SettingError, KeyError):
            series = load(Path(args.results) / args.group / searched(row, rate)).scores[ScoreKey("cifar10")]
            if len(series["frames"]) > 1:
                scores[rate] = float(series["validation_top1"][-1])
    return scores


def collected(args: argparse.Namespace, settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What came out of each row, {row: {top1 of each seed, mean, interval, random, paper}}, as shares but for paper."""
    rows = {}
    for row in args.rows:
        before = known(args, settings).get(row, {})
        first = {int(seed): top1 for seed, top1 in before.get("random_encoders", {}).items()}
        last = {int(seed): top1 for seed, top1 in before.get("seeds", {}).items()}
        for seed in args.seeds:
            with suppress(SettingError, KeyError):  # it has failed, or not begun
                of_run = summary(Path(args.results) / args.group / f"{row}-seed{seed}")
                curve = of_run["eval"]["transfer"]["cifar10"]["top1"]
                if len(curve) > 1:
                    first[seed], last[seed] = curve[0], curve[-1]
        scores = found(row, args, settings)
        if last or scores:
            low, high = interval(np.array(list(last.values())))
            rows[row] = {
                "seeds": last,
                "mean": float(np.mean(list(last.values()))) if last else None,
                "interval": None if np.isnan(low) else [float(low), float(high)],
                "random_encoders": first,
                "paper_percent": PAPER[row],
                **({"validation_of_rates": scores} if scores else {}),
            }
    return rows


def keep_all(args: argparse.Namespace, settings: Sequence[str]) -> Path:
    """Writes benchmarks/results/GROUP.json with what is there by now, and the rows it had that nobody asks for."""
    rows = known(args, settings) | collected(args, settings)
    shared = {"settings": described(args, settings), "search_share": SEARCH_SHARE}
    return keep(args.group, {"rows": {row: rows[row] for row in PAPER if row in rows}, **shared, "seeds": args.seeds})


def table(rows: dict[str, dict[str, Any]], title: str) -> Table:
    """For a terminal."""
    shown = Table(title=f"{title}: linear probe on CIFAR-10, top-1 %", title_justify="left")
    for heading in ("row", "mean", "95 % interval", "seeds", "gain", "tang2022"):
        shown.add_column(heading, justify="left" if heading == "row" else "right", no_wrap=True)
    for row, of in rows.items():
        if not of["seeds"]:
            continue
        bounds = "-" if of["interval"] is None else " to ".join(f"{100 * bound:.1f}" for bound in of["interval"])
        seeds = " ".join(f"{100 * top1:.1f}" for top1 in of["seeds"].values())
        gain = f"{100 * (of['mean'] - np.mean(list(of['random_encoders'].values()))):+.1f}"
        shown.add_row(row, f"{100 * of['mean']:.1f}", bounds, seeds, gain, f"{of['paper_percent']:.2f}")
    return shown


def parsed() -> tuple[argparse.Namespace, list[str]]:
    """The command line, and the settings that it hands on. Raises SettingError: an unknown row."""
    parser = argparse.ArgumentParser(description="Table 1 of Tang, Yang and Amit (2022).")
    data = os.environ.get("DATA", "data")
    parser.add_argument("--data", default=data, help="folder of the pictures (default: $DATA, or data)")
    parser.add_argument("--short", action="store_true", help="conv4, 10,000 pictures, a small budget")
    parser.add_argument("--stream", action="store_true", help="nature's pairs: moving pictures, one pass")
    parser.add_argument("--rows", default=",".join(PAPER), help="which, with commas between (default: all)")
    parser.add_argument("--seeds", default="0,1,2", help="with commas between")
    parser.add_argument("--rates", default="", help="learning rates to choose from, with commas between")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once (default: 2)")
    parser.add_argument("--results", default="results", help="folder of the runs")
    parser.add_argument("--group", default="", help="name of the group of runs, and of what is kept")
    parser.add_argument("--tell", action="store_true", help="run nothing, tell what there is")
    args, settings = parser.parse_known_args()
    args.folder = "table1_stream" if args.stream else "table1"  # of the experiments
    args.group = args.group or args.folder + ("_short" if args.short else "")
    args.rows, args.seeds = args.rows.split(","), [int(seed) for seed in args.seeds.split(",")]
    args.rates = [rate for rate in args.rates.split(",") if rate]
    for row in args.rows:
        if row not in PAPER:
            raise unknown("--rows", row, PAPER)
    return args, settings


def main() -> None:
    """Runs what is not there yet, prints the table and keeps benchmarks/results/GROUP.json."""
    console = Console()
    try:
        args, settings = parsed()
        args.search_frames = search_frames(args, settings)
        for seed in () if args.tell else args.seeds:  # a whole table early, more seeds later
            run_all(args, settings, seed, console=console)
    except SettingError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on where it was")
    console.print(table(collected(args, settings), args.group))
    console.print(f"kept in {keep_all(args, settings)}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
