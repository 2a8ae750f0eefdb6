"""Whoever reads our output may go away, or know no more than ASCII: what is running ends well."""

import os
import subprocess
import sys

from streams.recording.reader import Recording
from tests.helpers.recordings import SMALL, assert_is_the_walk


def test_a_recording_whose_reader_goes_saves_what_there_is(tmp_path):
    """As with `| head -1`."""
    path = tmp_path / "walk.zarr"
    program = f"""if True:
        import streams.process.progress, streams.record
        streams.process.progress.LINE_EVERY_S = 0
        import sys
        sys.argv = ["record", *{SMALL!r}, "record.path={path}", "record.frames=3_000_000"]
        streams.record.main()
    """
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 128 + 13
    steps = len(list((path / "images" / "c").iterdir()))
    assert steps
    assert_is_the_walk(path, Recording(str(path)).committed)


def run(program, **environment):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, env=os.environ | environment, check=False)


def test_letters_that_the_terminal_lacks_are_replaced():
    program = """if True:
        from rich.console import Console
        from streams.process.errors import guarded
        guarded(lambda: Console().print("R\\u00b2 of caf\\u00e9 \\u2500 \\u2588"), place="results_dir", stopped="")
        print("done")
    """
    ended = run(program, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert ended.returncode == 0
    assert ended.stderr == b""
    assert ended.stdout.endswith(b"done\n")


def test_an_error_line_is_shown_in_ascii_too():
    program = """if True:
        from envs.errors import SettingError
        from streams.process.errors import guarded
        def job(): raise SettingError("path=caf\\u00e9 is no recording")
        guarded(job, place="path", stopped="")
    """
    ended = run(program, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (ended.returncode, ended.stderr) == (2, b"path=caf\\xe9 is no recording\n")


STARTING = "import sys; sys.argv = ['-m']; import envs; sys.argv = ['x']; raise "


def test_ctrl_c_while_a_command_starts_is_one_line():
    ended = run(STARTING + "KeyboardInterrupt")
    assert ended.stderr == b"stopped while starting; nothing was begun\n"
    assert ended.returncode in (130, -2)


def test_too_little_memory_to_start_is_one_line():
    for error in (
        "MemoryError",
        "ImportError('libtorch.so: failed to map segment from shared object')",
        'RuntimeError("can\'t start new thread")',
    ):
        ended = run(STARTING + error)
        assert ended.returncode == 1
        assert ended.stderr.startswith(b"not enough memory to start (")
        assert ended.stderr.count(b"\n") == 1


def test_other_errors_keep_their_traceback():
    assert b"Traceback" in run(STARTING + "RuntimeError('other')").stderr
    assert b"Traceback" in run("import envs; raise KeyboardInterrupt").stderr  # in a user's own program
