"""Runs of the main job, one after another in one group of ranks: python -m tests.helpers.shared_runs FOLDER URL

Writes what each came to, and the errors, to FOLDER/RANK.json. At the URL a recording is made and replayed.
"""

import json
import os
import signal
import sys
from copy import deepcopy
from pathlib import Path

from envs.errors import SettingError
from learners.online import PROGRAM
from learners.rules.base import Learner
from runs.config import composing
from runs.launch import start as starting
from runs.launch.start import start
from streams.process.ranks import Ranks, joined
from tests.helpers.online import SMALL

QUICK = [*SMALL, "eval.every=0", "run.frames=96", "run.save_every=24"]
KINDS = {
    "dtp": ["learner=dtp", "pairs.symmetric=true"],
    "minred": ["pairs=both", "memory=minred", "memory.capacity=32", "memory.updates=2", "memory.batch=6"],
    "remembered": ["learner=rll", "loss=hinge_remembered", "loss.negatives=3"],
}
REPLAY = ["stream=replay", "memory=none", "pairs.gap=2", "network=conv4", "eval.every=0", "device=cpu"]
ORDERS = ("sequential", "shuffled")
WHOLE = Learner.update


def run(folder: Path, name: str, *overrides: str) -> int:
    return start([*QUICK, f"results_dir={folder}", f"run.name={name}", *overrides], PROGRAM)


def replay(folder: Path, name: str, order: str, frames: int, *, at: str = "") -> int:
    """A run on the recording that another one has made, in its folder or at a URL."""
    path = f"{at or folder}/walk.zarr"
    where = [f"stream.path={path}", f"stream.order={order}", f"results_dir={folder}", f"run.name={name}"]
    return start([*REPLAY, *where, f"run.frames={frames}"], PROGRAM)


def interrupted(after: int):
    """An update during whose `after`-th call this process sends itself a signal."""

    def update(self, pairs):
        if self.updates == after - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return WHOLE(self, pairs)

    return update


def broken(after: int):
    """An update whose `after`-th batch is not a number."""

    def update(self, pairs):
        if self.updates == after - 1:
            pairs.second.fill_(float("nan"))
        return WHOLE(self, pairs)

    return update


def stopped_and_resumed(folder: Path, ranks: Ranks) -> dict[str, list[int]]:
    """The exit statuses of runs of each kind: one straight on, one stopped by a signal to rank 1, and its rest."""
    statuses = {}
    for name, overrides in KINDS.items():
        statuses[name] = [run(folder, f"{name}_straight", *overrides)]
        if ranks.rank == 1:
            Learner.update = interrupted(after=5)
        statuses[name].append(run(folder, f"{name}_halves", *overrides))
        Learner.update = WHOLE
        statuses[name].append(start([f"run.resume={folder}/{name}_halves"], PROGRAM))
    return statuses


def composed_once(compose):
    """The function that composes settings, which takes half of the time of these runs, with a memory."""
    known = {}

    def composed(*arguments):
        key = repr(arguments)
        known[key] = known[key] if key in known else compose(*arguments)
        return deepcopy(known[key])

    return composed


def errors(folder: Path, ranks: Ranks) -> dict[str, str]:
    """What is said of what cannot work."""
    wrong = {
        "uneven": ["env.num_worlds=9"],
        "different": [f"learner.lr={1 + ranks.rank}e-3"],
        "batch": ["memory=fifo", "memory.batch=7"],
        "broken": ["run.log_every=8"],
    }
    said = {}
    for name, overrides in wrong.items():
        if name == "broken" and ranks.rank == 1:
            Learner.update = broken(after=3)
        try:
            said[name] = str(run(folder, name, *overrides))
        except SettingError as error:
            said[name] = str(error)
    Learner.update = WHOLE
    for name in ("alone", "alone_fifo"):  # which the test has begun in one process
        try:
            said[name] = str(start([f"run.resume={folder}/{name}", "run.frames=96"], PROGRAM))
        except SettingError as error:
            said[name] = str(error)
    return said


def main() -> None:
    """As a rank."""
    folder, there = Path(sys.argv[1]), sys.argv[2]
    starting.pictures = lambda *_: ()  # which take seconds
    composing._compose = composed_once(composing._compose)
    with joined() as ranks:
        outcome = {
            "statuses": stopped_and_resumed(folder, ranks),
            "recorded": run(folder, "recording", f"stream.record={folder}/walk.zarr"),
            "recorded_there": run(folder, "recording_there", f"stream.record={there}/walk.zarr"),
            "errors": errors(folder, ranks),
        }
        outcome["replayed"] = [replay(folder, order, order, 64) for order in ORDERS]
        outcome["replayed_there"] = replay(folder, "there", ORDERS[0], 64, at=there)
        (folder / f"{ranks.rank}.json").write_text(json.dumps(outcome))
        sys.exit(0)


if __name__ == "__main__":
    main()
