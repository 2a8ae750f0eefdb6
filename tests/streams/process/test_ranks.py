"""Ranks that leave, in processes of their own."""

import pytest

from tests.helpers.ranks import ended, start_ranks

LEAVING = """
import sys
from pathlib import Path
from streams.process import ranks

def of_groups():
    return sum("gloo" in path.read_text() for path in Path("/proc/self/task").glob("*/comm"))

with_status = {status}
try:
    with ranks.joined():
        ranks.present().gather(1)
        assert of_groups()
        sys.exit(with_status)
finally:
    print(of_groups(), file=sys.__stdout__)
"""


@pytest.mark.parametrize("status", [0, 2])
def test_no_thread_is_left_that_could_abort_the_process_while_python_ends(status):
    for left, stdout, _ in ended(start_ranks("-c", LEAVING.format(status=status))):
        assert (left, stdout) == (status, "0\n")
