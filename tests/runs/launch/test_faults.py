"""A disk that takes half of a file, or fails as it is closed, at every write: nothing committed is lost."""

import errno
import itertools
import os
import shutil
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from learners.online import PROGRAM, build
from runs.config import composing
from runs.launch import start as commands
from runs.store.checkpoint import load_newest, save, weights_sha256
from streams.process.errors import guarded
from streams.record import record
from tests.helpers.online import SMALL as RUN
from tests.helpers.recordings import SMALL, assert_is_the_walk, committed, files, recorded

FAULTS = {"half a write": errno.ENOSPC, "half a write, broken": errno.EIO, "a close": errno.EIO}
LEARNED = [
    *(text for text in RUN if text[:3] not in ("env", "run", "eva")),
    *["env=counting", "env.size=16", "env.num_worlds=4", "env.episode_length=6"],
    *["learner=bp", "eval.every=0", "run.frames=24", "run.save_every=8", "run.log_every=8"],
]


class Failing:
    """A file that takes half of what is written to it, or can't be closed."""

    def __init__(self, file, fault):
        self._file, self._fault = file, fault

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        if self._fault == "a close":
            raise OSError(FAULTS[self._fault], os.strerror(FAULTS[self._fault]))

    def write(self, data):
        if self._fault == "a close":
            return self._file.write(data)
        self._file.write(bytes(memoryview(data).cast("B")[: len(data) // 2]))
        self._file.flush()
        raise OSError(FAULTS[self._fault], os.strerror(FAULTS[self._fault]))


@contextmanager
def failing(fault, *, at):
    """The file that is opened for writing after so many others fails; `next` then gives how many were opened."""
    whole, opened = Path.open, itertools.count()

    def open_(path, mode="r", *arguments, **named):
        file = whole(path, mode, *arguments, **named)
        return Failing(file, fault) if set(mode) & set("wx") and next(opened) == at else file

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", open_)
        patch.setattr(os, "fsync", lambda _: None)  # quicker, and nobody pulls the plug here
        yield opened


@pytest.mark.parametrize("fault", FAULTS)
def test_a_recorder_loses_nothing_that_was_committed_and_goes_on(tmp_path, capsys, fault):
    base, straight = recorded(tmp_path / "base.zarr", 330 * 3), recorded(tmp_path / "straight.zarr", 350 * 3)
    path, told_ = tmp_path / "walk.zarr", [*SMALL, f"record.path={tmp_path}/walk.zarr", f"record.frames={350 * 3}"]
    for at in itertools.count():
        shutil.rmtree(path, ignore_errors=True)
        if at % 2 == list(FAULTS).index(fault) % 2:  # else from its beginning; two faults share the writes of both
            shutil.copytree(base, path)
        before = committed(path)
        capsys.readouterr()
        with failing(fault, at=at) as opened:
            status = guarded(record, told_, place="record.path", stopped="", leave=False)
        if next(opened) <= at:
            break
        message = capsys.readouterr().err
        assert (status, message.count("\n")) == (2, 1)
        assert str(path) in message
        assert before <= committed(path) <= 350
        if committed(path):
            assert_is_the_walk(path, committed(path))
        assert not list(path.rglob("*.tmp"))
        assert record(told_) == 0
        assert files(path) == files(straight)
    assert at > 20


def learn(settings, checkpoints):
    """The weights' sha256 after a run that goes on from its newest checkpoint, which it writes every third update."""
    run = build(settings)
    state, _ = load_newest(checkpoints)
    if state:
        run.load_state_dict(state)
    else:
        save(checkpoints, run.state_dict(), frames=0)
    with closing(run.stream.frames):
        while run.frames < settings.run.frames:
            pairs = next(run.stream)
            run.learner.update(pairs)
            run.frames, run.updates = pairs.frames, run.updates + 1
            if run.updates % 3 == 0 or run.frames >= settings.run.frames:
                save(checkpoints, run.state_dict(), frames=run.frames)
    return weights_sha256(run.learner.network.state_dict())


def test_a_learner_that_records_goes_on_from_a_fault_at_any_write_to_the_same_end(tmp_path):
    def way(name):
        (tmp_path / name).mkdir()
        return composing.read([*LEARNED, f"stream.record={tmp_path}/{name}.zarr"]), tmp_path / name

    straight = learn(*way("straight")), files(tmp_path / "straight.zarr")
    for at, fault in zip(itertools.count(), itertools.cycle(FAULTS), strict=False):
        settings, checkpoints = way(str(at))
        with failing(fault, at=at) as opened, suppress(OSError):
            learn(settings, checkpoints)
        if next(opened) <= at:
            break
        assert not [*tmp_path.glob(f"{at}*/**/*.tmp")]
        assert (learn(settings, checkpoints), files(tmp_path / f"{at}.zarr")) == straight
        shutil.rmtree(checkpoints)
    assert at > 25


def test_a_whole_run_that_records_says_so_in_a_line_and_is_resumed_to_the_same_end(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(commands, "pictures", lambda *_: [])  # of the end, which are slow

    def ends(name):
        return (load_newest(tmp_path / name / "checkpoints")[0]["frames"], files(tmp_path / f"{name}.zarr"))

    def start(name, *, resume=False):
        new = [*LEARNED, f"results_dir={tmp_path}", f"stream.record={tmp_path}/{name}.zarr", f"run.name={name}"]
        asked = [f"run.resume={tmp_path}/{name}"] if resume else new
        return guarded(commands.start, asked, PROGRAM, place="results_dir", stopped="", leave=False)

    with failing("a close", at=-1) as opened:
        assert start("straight") == 0
    writes, straight = next(opened), ends("straight")
    for at, fault in zip(range(1, writes, 29), itertools.cycle(FAULTS), strict=False):
        name = f"run{at}"
        capsys.readouterr()
        with failing(fault, at=at):
            status = start(name)
        message = capsys.readouterr().err
        assert (status, message.count("\n")) == (2, 1), (at, message)
        assert str(tmp_path) in message or "make room there, or choose another results_dir" in message
        begun = (tmp_path / name / ".hydra" / "config.yaml").exists()
        assert start(name, resume=begun) == 0, (at, message)
        assert ends(name) == straight
