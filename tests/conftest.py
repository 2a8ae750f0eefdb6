"""One thread a worker: pytest-xdist already runs a worker a core, and threads that wait for each other are slow.

The commit is asked for once, so that recordings compare even if somebody edits files while the tests run.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from learners.online import build, train
from runs.launch import launch
from streams.process.versions import versions

versions()


@pytest.fixture
def online(monkeypatch, capsys):
    """Runs the command in this process: (status, what it said on stderr)."""

    def call(*overrides):
        monkeypatch.setattr(sys, "argv", ["online", *overrides])
        with pytest.raises(SystemExit) as left:
            launch.command(build, train)()
        return left.value.code, capsys.readouterr().err

    return call
