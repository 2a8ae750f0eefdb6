"""What a benchmark ran on, and where its numbers are kept."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]  # files here are named as packages are

from runs.folder import versions

RESULTS = HERE / "results"


def keep(name: str, found: dict[str, Any]) -> Path:
    """Writes benchmarks/results/NAME.json with the command, the day and the machine."""
    command = " ".join(["python", "benchmarks/" + Path(sys.argv[0]).name, *sys.argv[1:]])
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    whole = {"command": command, "date": date.today().isoformat(), "machine": versions(), **found}
    path.write_text(json.dumps(whole, indent=2) + "\n")
    return path
