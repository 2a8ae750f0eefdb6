"""How a benchmark takes the time, shows what came out, and where it keeps the numbers and what they ran on.

What is set beside something else is measured in turns in one process, and given as a ratio; the machine may be shared.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
Jobs = dict[str, Callable[[], object]]
Row = tuple[str, ...]
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]  # files here are named as packages are

import envs  # noqa: F401  # isort: skip  before torch: it sets how threads wait

import torch
from rich.console import Console
from rich.table import Column, Table

from runs.store.folder import versions
from streams.recording.storage import replace
from streams.types import Pairs


def seconds(job: Callable[[], object], *, clock: Callable[[], float] = perf_counter) -> float:
    """Of one call."""
    start = clock()
    job()
    return clock() - start


def in_turns(jobs: Jobs, *, rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """The seconds of several jobs, which take turns, in each of the rounds after the first ones, which warm up."""
    took = [{name: seconds(job) for name, job in jobs.items()} for _ in range(warm + rounds)][warm:]
    return {name: [each[name] for each in took] for name in jobs}


def medians(jobs: Jobs, *, rounds: int, warm: int = 1) -> dict[str, float]:
    """The median seconds of jobs in turns."""
    return {name: statistics.median(took) for name, took in in_turns(jobs, rounds=rounds, warm=warm).items()}


def keep(name: str, results: dict[str, Any]) -> Path:
    """Writes benchmarks/results/NAME.json with the command, the day and the machine."""
    command = " ".join(["python", "benchmarks/" + Path(sys.argv[0]).name, *sys.argv[1:]])
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    whole = {"command": command, "date": date.today().isoformat(), "machine": versions(), **results}
    replace(path, (json.dumps(whole, indent=2) + "\n").encode())  # at once, as another thread may be reading it
    return path


def noise_pairs(rows: int, size: int) -> Pairs:
    """Pairs of noise, channels_last as a stream gives them."""
    views = torch.rand(2, rows, size, size, 3, generator=torch.Generator().manual_seed(0)).permute(0, 1, 4, 2, 3)
    return Pairs(views[0], views[1], torch.ones(rows, dtype=torch.int64), torch.arange(rows), rows)


def kept(name: str) -> dict[str, Any]:
    """What benchmarks/results/NAME.json holds; nothing where there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def call(command: Callable[[], None], *arguments: str) -> None:
    """A command of ours in this process; where it fails, or is stopped, so do we, as it has printed why."""
    saved_argv, sys.argv[1:] = sys.argv[1:], arguments
    try:
        command()
    except SystemExit as left:
        if left.code:
            raise
    finally:
        sys.argv[1:] = saved_argv


def markdown(head: Row, rows: list[Row]) -> list[str]:
    """The lines of a table for the documentation."""
    return ["| " + " | ".join(line) + " |" for line in (head, ("---",) * len(head), *rows)]


def show(name: str, results: dict[str, Any], *notes: str, title: str, head: Row, rows: list[Row]) -> None:
    """Prints a table and notes, and keeps the results with the number of threads."""
    columns = (Column(name, overflow="fold") for name in head)
    console, table = Console(), Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for line in (*notes, f"kept in {keep(name, results | {'threads': torch.get_num_threads()})}"):
        console.print(line, highlight=False, soft_wrap=True)


def answer(name: str, questions: dict[str, Callable[[], dict[str, float]]], *, title: str) -> None:
    """Answers the questions on the command line, or all, as `show` does."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("question", nargs="*", choices=[*questions, []], help="all where none is given")
    results = {each: questions[each]() for each in parser.parse_args().question or questions}
    rows = [
        (each, what.replace("_", " "), f"{number:,.2f}" if number < 1000 else f"{number:,.0f}")
        for each, numbers in results.items()
        for what, number in numbers.items()
    ]
    show(name, results, title=f"{title}, on CPU", head=("question", "what", "result"), rows=rows)
