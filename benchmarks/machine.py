"""How a benchmark takes the time, shows what came out, and where it keeps the numbers and what they ran on."""

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
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]  # files here are named as packages are

import envs  # noqa: F401  # isort: skip  before torch: it sets how threads wait

import torch
from rich.console import Console
from rich.table import Table

from runs.store.folder import versions


def seconds(job: Callable[[], object]) -> float:
    """Of one call."""
    start = perf_counter()
    job()
    return perf_counter() - start


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
    path.write_text(json.dumps(whole, indent=2) + "\n")
    return path


def show(table: Table, name: str, results: dict[str, Any], *notes: str) -> None:
    """Prints a table and notes, and keeps the results with the number of threads."""
    console = Console()
    console.print(table)
    for line in (*notes, f"kept in {keep(name, results | {'threads': torch.get_num_threads()})}"):
        console.print(line, highlight=False, soft_wrap=True)


def answer(name: str, questions: dict[str, Callable[[], dict[str, float]]], *, title: str) -> None:
    """Answers the questions on the command line, or all, as `show` does."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("question", nargs="*", choices=[*questions, []], help="all where none is given")
    results = {each: questions[each]() for each in parser.parse_args().question or questions}
    table = Table("question", "what", "result", title=f"{title}, on CPU", title_justify="left")
    for each, numbers in results.items():
        for what, number in numbers.items():
            table.add_row(each, what.replace("_", " "), f"{number:,.2f}" if number < 1000 else f"{number:,.0f}")
    show(table, name, results)
