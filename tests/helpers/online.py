"""The main job on the counting world: small runs, and what two of them have alike."""

import os
import signal

import numpy as np

from learners.online import PROGRAM
from learners.rules.base import Learner
from runs.launch.start import start
from runs.store.checkpoint import load_newest
from runs.store.metrics import read, read_samples
from tests.helpers.learners import same

SMALL = [
    "env=counting",
    "memory=none",
    "network=conv4",
    "env.size=16",
    "env.num_worlds=8",
    "env.episode_length=8",
    "pairs.gap=2",
    "pairs.gap_distribution=uniform",
    "run.frames=176",
    "run.log_every=32",
    "run.save_every=48",
    "eval.every=64",
    "eval.train=60",
    "eval.validation=40",
    "eval.test=40",
    "device=cpu",
]


def run(tmp_path, name, *overrides):
    return start([*SMALL, f"results_dir={tmp_path}", f"run.name={name}", *overrides], PROGRAM)


def outcome(tmp_path, name):
    """Weights' sha, checkpoint and metrics of a run; what depends on the clock or the name left out."""
    facts, series = read(tmp_path / name / "metrics.zarr")
    numbers = {group: arrays for group, arrays in series.items() if group != "speed"}
    numbers |= {"samples": samples} if (samples := read_samples(tmp_path / name / "metrics.zarr")) else {}
    return facts["weights_sha256"], load_newest(tmp_path / name / "checkpoints")[0], numbers


def assert_same_run(a, b):
    assert a[0] == b[0]
    assert same(a[1], b[1])
    assert a[2].keys() == b[2].keys()
    for group, arrays in a[2].items():
        assert arrays.keys() == b[2][group].keys()
        for name, values in arrays.items():
            assert np.array_equal(values, b[2][group][name], equal_nan=True), (group, name)


def stopping(monkeypatch, after, number=signal.SIGINT):
    """Sends this process a signal during its `after`-th update."""
    whole = Learner.update

    def update(self, pairs):
        if self.updates == after - 1:
            os.kill(os.getpid(), number)
        return whole(self, pairs)

    monkeypatch.setattr(Learner, "update", update)
