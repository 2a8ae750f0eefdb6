"""One run as a table or as JSON: python -m runs.show results/NAME [--json]"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from envs.errors import SettingError
from runs.metrics import read

BASELINES = ("random_encoder", "pixels", "mean_colour", "chance")
SHARES = ("world", "stream", "learner", "eval")


def summary(path: Path) -> dict[str, Any]:
    """All that a run found, as one JSON object; numbers that were not measured are None.

    Raises:
        SettingError: there is no run, or it is of another format.
    """
    facts, series = read(path / "metrics.zarr")
    tasks = [group.removeprefix("eval/") for group in series if group.startswith("eval/")] or ["linear"]
    speed = series.get("speed", {})
    return {
        **{name: facts.get(name) for name in ("run", "learner", "loss", "seed")},
        **{name: facts.get(name) for name in ("frames", "updates", "device", "weights_sha256")},
        "eval": _nested({task: _curve(series.get(f"eval/{task}")) for task in tasks}),
        "baseline": {name: _nested({task: _baseline(series, name, task) for task in tasks}) for name in BASELINES},
        "speed": {
            "frames_per_s": _last(speed, "frames_per_s"),
            "loop_share": {part: _last(speed, part) for part in SHARES},
        },
    }


def table(found: dict[str, Any]) -> Group:
    """What was learned, beside what, and at what speed, for a terminal."""
    scores = Table(title=f"{found['run']}: linear probe top-1, %", title_justify="left")
    scores.add_column("", no_wrap=True)
    for name in (found["learner"], "gain", "random encoder", "raw pixels", "mean colour", "chance"):
        scores.add_column(name, justify="right")
    named = {
        "test instances": ("linear",),
        **{f"transfer: {name}": ("transfer", name) for name in found["eval"]["transfer"]},
    }
    for label, where in named.items():
        last = _at(found["eval"], where)["top1"][-1:]
        others = [_at(found["baseline"][name], where) for name in BASELINES]
        gain = f"{100 * (last[0] - others[0]):+.1f}" if last and others[0] is not None else "-"
        scores.add_row(label, _percent(*last), gain, *(_percent(other) for other in others))
    shares = found["speed"]["loop_share"]
    lines = [
        f"{found['frames'] or 0:,} frames, {found['updates'] or 0:,} updates, seed {found['seed']}, {found['device']}"
    ]
    if found["speed"]["frames_per_s"]:
        spent = ", ".join(f"{part} {_percent(share)} %" for part, share in shares.items())
        lines.append(f"{found['speed']['frames_per_s']:,.0f} frames/s; time: {spent}")
    if not found["eval"]["linear"]["frames"]:
        return Group(f"{found['run']}: never scored (eval.every=0)", *lines)
    return Group(scores, *(Text(line) for line in lines))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m runs.show", description="One run as a table or as JSON.")
    parser.add_argument("run", type=Path, help="the run's folder, results/NAME")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    told = parser.parse_args()
    try:
        found = summary(told.run)
    except (SettingError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    if told.json:
        print(json.dumps(found, indent=2, allow_nan=False))  # noqa: T201
    else:
        Console().print(table(found))


def _curve(series: dict | None) -> dict[str, list]:
    if series is None:
        return {"frames": [], "top1": []}
    return {"frames": series["frames"].tolist(), "top1": [_number(value) for value in series["top1"]]}


def _baseline(series: dict, name: str, task: str) -> float | None:
    """The random encoder is what the network scored before its first update."""
    group = f"eval/{task}" if name == "random_encoder" else f"baseline/{name}/{task}"
    return _number(series[group]["top1"][0]) if group in series else None


def _last(series: dict, name: str) -> float | None:
    return _number(series[name][-1]) if name in series else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _nested(tasks: dict[str, Any]) -> dict[str, Any]:
    """{linear: a, transfer/digits: b} to {linear: a, transfer: {digits: b}}."""
    transfer = {name.removeprefix("transfer/"): value for name, value in tasks.items() if name.startswith("transfer/")}
    return {"linear": tasks["linear"], "transfer": transfer}


def _at(node: dict, where: tuple[str, ...]) -> Any:
    for name in where:
        node = node[name]
    return node


def _percent(share: float | None = None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
