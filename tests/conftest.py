"""One thread a worker: pytest-xdist already runs a worker a core, and threads that wait for each other are slow.

The commit is asked for once, so that recordings compare even if somebody edits files while the tests run.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from learners.online import PROGRAM
from runs.config.composing import register
from runs.launch.launch import launch
from streams.process.versions import versions

versions()
register(PROGRAM.schemas)


@pytest.fixture
def online(monkeypatch, capsys):
    """Runs the command in this process: (status, stderr)."""

    def call(*overrides):
        monkeypatch.setattr(sys, "argv", ["online", *overrides])
        with pytest.raises(SystemExit) as left:
            launch(PROGRAM)
        return left.value.code, capsys.readouterr().err

    return call
