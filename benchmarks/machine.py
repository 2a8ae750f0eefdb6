"""How a benchmark takes the time, what it ran on, and where its numbers are kept."""

import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]  # files here are named as packages are

from runs.store.folder import versions

RESULTS = HERE / "results"


def seconds(job: Callable[[], object]) -> float:
    """Of one call."""
    start = perf_counter()
    job()
    return perf_counter() - start


def keep(name: str, results: dict[str, Any]) -> Path:
    """Writes benchmarks/results/NAME.json with the command, the day and the machine."""
    command = " ".join(["python", "benchmarks/" + Path(sys.argv[0]).name, *sys.argv[1:]])
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    whole = {"command": command, "date": date.today().isoformat(), "machine": versions(), **results}
    path.write_text(json.dumps(whole, indent=2) + "\n")
    return path
