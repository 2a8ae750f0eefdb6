"""Errors of the user or the machine are one line; all others are raised."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from streams.process.errors import guarded


def crowded():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total of 79 GiB")


@pytest.mark.parametrize("allocate", [lambda: np.empty(10**16), lambda: torch.empty(10**16), crowded])
def test_too_little_memory_is_one_line(capsys, allocate):
    with pytest.raises(SystemExit) as left:
        guarded(allocate, place="results_dir", stopped="")
    text = capsys.readouterr().err
    assert (left.value.code, text.count("\n")) == (2, 1)
    assert text.startswith("not enough memory (")
    assert text.endswith("; ask for less at once\n")


def test_no_other_error_is_taken_for_it():
    with pytest.raises(RuntimeError, match="invalid for input of size 2"):
        guarded(torch.ones(2).view, 3, place="results_dir", stopped="")


def test_a_reader_that_has_gone_is_no_fault_of_the_disk():
    program = """if True:
        from streams.process.errors import guarded
        guarded(lambda: [print("line") for _ in range(100_000)], place="results_dir", stopped="")
    """
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 1
