"""One run as a table or as JSON: python -m runs.show results/NAME [--json]"""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from envs.errors import SettingError
from runs.evaluation.continual import summed_up
from runs.store.metrics import read

BASELINES = ("random_encoder", "pixels", "mean_colour", "chance")
OTHERS = {  # the probes beside the linear one, and what a table calls them
    "knn": "k-NN",
    "logistic": "logistic",
    "few": "labels a class: {}",
    "factors": "{}",
}
TUNED = "finetune"  # the branch of what copies came to that learned a task
SHARES = ("world", "stream", "learner", "eval")


def summary(path: Path) -> dict[str, Any]:
    """All that a run found, as one JSON object; numbers that were not measured are None.

    Raises:
        SettingError: there is no run, or it is of another format.
    """
    facts, series = read(path / "metrics.zarr")
    scored = [group.removeprefix("eval/") for group in series if group.startswith("eval/")]
    named = dict.fromkeys(["linear", *scored])
    speed = series.get("speed", {})
    return {
        **{name: facts.get(name) for name in ("run", "learner", "loss", "seed")},
        **{name: facts.get(name) for name in ("frames", "updates", "device", "weights_sha256")},
        "eval": _nested({name: _curve(series.get(f"eval/{name}")) for name in named}),
        "baseline": {name: _nested(_baseline(series, name, named)) for name in BASELINES},
        "speed": {
            "frames_per_s": _last(speed, "frames_per_s"),
            "loop_share": {part: _last(speed, part) for part in SHARES},
        },
    } | _continual(facts.get("drift"), series)


def _continual(drift: dict | None, series: dict) -> dict[str, Any]:
    """{continual: ...} of a world that drifts: scores of every phase after every phase, and what they come to."""
    phases = [series.get(f"eval/phases/phase{number}") for number in range(drift["phases"])] if drift else [None]
    if any(phase is None for phase in phases):
        return {}
    scores = np.stack([phase["top1"] for phase in phases], 1)
    return {"continual": summed_up(phases[0]["frames"], scores, **drift)}


def table(found: dict[str, Any]) -> Group:
    """What was learned, beside what, and at what speed, for a terminal."""
    if not found["eval"]["linear"]["frames"]:
        return Group(f"{found['run']}: never scored (eval.every=0)", *_facts(found))
    scores = _table(f"{found['run']}: linear probe top-1, %")
    for name in (found["learner"], "gain", "random encoder", "raw pixels", "mean colour", "chance"):
        scores.add_column(name, justify="right")
    named = {
        "test instances": ("linear",),
        **{f"transfer: {name}": ("transfer", name) for name in found["eval"]["transfer"]},
    }
    for label, where in named.items():
        last = _at(found["eval"], where)["top1"][-1:]
        others = [_at(found["baseline"][name], where) for name in BASELINES]
        scores.add_row(label, *_gain(last, others[0]), *(_percent(other) for other in others))
    return Group(scores, *_tuned(found), *_others(found), *_blocks(found), *_phases(found), *_facts(found))


def _table(title: str) -> Table:
    """An empty table whose first column tells what its rows are; it leaves room for others in 80 characters."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    return table


def _tuned(found: dict[str, Any]) -> list[Table]:
    """What copies come to that learn each task, beside those of the random encoder and the probe of the frozen one."""
    branch = found["eval"].get(TUNED, {})
    if not branch:
        return []
    table = _table("fine-tuned on the task, top-1, %")
    for name in (found["learner"], "gain", "from scratch", "linear probe"):
        table.add_column(name, justify="right")
    for where, curve in _leaves(branch).items():
        random = _at(found["baseline"]["random_encoder"], (TUNED, *where))
        label = "test instances" if where == ("linear",) else f"transfer: {where[-1]}"
        probe = _at(found["eval"], where)["top1"][-1]
        table.add_row(label, *_gain(curve["top1"][-1:], random), _percent(random), _percent(probe))
    return [table]


def _phases(found: dict[str, Any]) -> list[Any]:
    """R[i, j] of a world that drifts, with what it comes to below."""
    if not found.get("continual", {}).get("matrix"):
        return []
    continual = found["continual"]
    rows = {f"after segment {i} (phase {continual['shown'][i]})": row for i, row in enumerate(continual["matrix"])}
    rows |= {"random encoder": continual["random_encoder"], "forgetting": continual["forgetting"]}
    table = _table("linear probe top-1 by phase, %")
    for number in range(len(continual["random_encoder"])):
        table.add_column(f"phase {number}", justify="right")
    for label, row in (rows | {"mean over the run": continual["anytime"]}).items():
        table.add_row(label, *(_percent(score) for score in row))
    backward, forward = (_percent(continual[f"{way}_transfer"]) for way in ("backward", "forward"))
    return [table, Text(f"transfer between phases, points: backward {backward}, forward {forward}")]


def _others(found: dict[str, Any]) -> list[Table]:
    """The other probes of the same test instances beside the random encoder, where there are any."""
    rows = {}
    for kind, title in OTHERS.items():
        branch = found["eval"].get(kind, {})
        for name in [None] if "frames" in branch else branch:
            where = (kind,) if name is None else (kind, name)
            curve = _at(found["eval"], where)
            score = next(key for key in ("top1", "r2") if key in curve)
            unit = " (R²)" if score == "r2" else ""
            random = _at(found["baseline"]["random_encoder"], where)
            rows[title.format(name) + unit] = (*_gain(curve[score][-1:], random), _percent(random))
    if not rows:
        return []
    table = _table("other probes of the test instances, top-1 or R², %")
    for name in (found["learner"], "gain", "random encoder"):
        table.add_column(name, justify="right")
    for label, row in rows.items():
        table.add_row(label, *row)
    return [table]


def _blocks(found: dict[str, Any]) -> list[Table]:
    """The probes of every block, a row for each kind, and how far above the random encoder's each score lies."""
    branch, random = (_leaves(of.get("blocks", {})) for of in (found["eval"], found["baseline"]["random_encoder"]))
    kinds: dict[str, dict[str, str]] = {}
    for where, curve in branch.items():
        kind, _, name = "/".join(where[:-1]).partition("/")
        label = OTHERS[kind].format(name) if kind else "linear"
        kinds.setdefault(label, {})[where[-1]] = " ".join(_gain(curve["top1"][-1:], random.get(where)))
    if not kinds:
        return []
    blocks = sorted({block for row in kinds.values() for block in row}, key=lambda name: (len(name), name))
    table = _table("probes of every block, top-1, %, and its gain")
    for block in blocks:
        table.add_column(block.replace("block", "block "), justify="right", no_wrap=True)
    for label, row in kinds.items():
        table.add_row(label, *(row.get(block, "-") for block in blocks))
    return [table]


def _facts(found: dict[str, Any]) -> list[Text]:
    shares = found["speed"]["loop_share"]
    lines = [
        f"{found['frames'] or 0:,} frames, {found['updates'] or 0:,} updates, seed {found['seed']}, {found['device']}"
    ]
    if found["speed"]["frames_per_s"]:
        spent = ", ".join(f"{part} {_percent(share)} %" for part, share in shares.items())
        lines.append(f"{found['speed']['frames_per_s']:,.0f} frames/s; time: {spent}")
    return [Text(line) for line in lines]


def _gain(last: list[float | None], random: float | None) -> tuple[str, str]:
    """The last score, and how far above the random encoder it lies."""
    known = last and last[0] is not None
    gain = f"{100 * (last[0] - random):+.1f}" if known and random is not None else "-"
    return _percent(*last), gain


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
    """{frames, top1} of labels, {frames, r2} of numbers."""
    if series is None:
        return {"frames": [], "top1": []}
    score = "r2" if "r2" in series else "top1"
    return {"frames": series["frames"].tolist(), score: [_number(value) for value in series[score]]}


def _baseline(series: dict, name: str, tasks: Iterable[str]) -> dict[str, float | None]:
    """A baseline's score on each task that it has one of; the random encoder is the network before its first update."""
    found = {"linear": None}
    for task in tasks:
        group = f"eval/{task}" if name == "random_encoder" else f"baseline/{name}/{task}"
        if group in series:
            found[task] = _number(series[group].get("r2", series[group].get("top1"))[0])
    return found


def _last(series: dict, name: str) -> float | None:
    return _number(series[name][-1]) if name in series else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _nested(tasks: dict[str, Any]) -> dict[str, Any]:
    """{linear: a, transfer/digits: b} to {linear: a, transfer: {digits: b}}."""
    found = {"linear": tasks["linear"], "transfer": {}}
    for name, value in tasks.items():
        *branch, leaf = name.split("/")
        node = found
        for part in branch:
            node = node.setdefault(part, {})
        node[leaf] = value
    return found


def _leaves(node: Any, *where: str) -> dict[tuple[str, ...], Any]:
    """Curves and numbers by where they are in a tree: {(knn, block1): ..., ...}."""
    if not isinstance(node, dict) or "frames" in node:
        return {where: node}
    return {place: leaf for name, below in node.items() for place, leaf in _leaves(below, *where, name).items()}


def _at(node: dict, where: tuple[str, ...]) -> Any:
    for name in where:
        node = node[name]
    return node


def _percent(share: float | None = None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
