"""Whatever stops the writer: what was committed is there to the bit, and the recorder goes on from it."""

import errno
import itertools
import os
import random
import shutil
import signal
import time
from collections import Counter
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
import torch

from learners.online import build
from runs.config import composing
from runs.store.checkpoint import load_newest, save, weights_sha256
from streams.check import examine
from streams.record import record
from streams.recording.reader import Recording
from streams.recording.storage import LocalFolder
from streams.recording.writer import Writer
from streams.types import Frames
from tests.helpers.online import SMALL as RUN
from tests.helpers.recordings import SMALL, assert_is_the_walk, committed, files, live, recorded, recorder, replay_of

KILLS = 50
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def killed(job, *, after, meanwhile=lambda: None):
    """Runs a job in a child and kills it so many seconds after it says that it has begun, and `meanwhile` is done."""
    ready, begun = os.pipe()
    child = os.fork()
    if not child:
        try:
            job(lambda: os.write(begun, b"!"))
        finally:
            os._exit(1)
    os.close(begun)
    assert os.read(ready, 1) == b"!"
    os.close(ready)
    meanwhile()
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_recorder_killed_at_any_of_fifty_moments_goes_on_from_what_was_committed(tmp_path):
    path, draws, before = tmp_path / "walk.zarr", random.Random(0), 0

    def forever(begun, when):
        with closing(recorder(path)) as writer:
            if when == 0:
                begun()
            writer.go_on()
            for step in itertools.count():
                if step == when > 0:
                    begun()
                next(writer)
                if step % 30 == 0:
                    writer.state_dict()

    for kill in range(KILLS):
        killed(lambda begun, when=(0, 1, 31)[kill % 3]: forever(begun, when), after=draws.uniform(0, 0.06))
        assert committed(path) >= before
        before = committed(path)
        if before and kill % 10 == 9:
            assert_is_the_walk(path, before)
    assert before > KILLS
    assert_is_the_walk(path, before)
    again = recorded(tmp_path / "straight.zarr", (before + 5) * 3)
    with closing(recorder(path)) as writer:
        writer.go_on()
        while writer.step < before + 4:
            next(writer)
        writer.state_dict()
    assert files(path) == files(again)


def test_readers_in_every_order_see_what_was_there_while_a_writer_writes_is_killed_and_comes_back(tmp_path):
    path, draws, shown_frames, steps = tmp_path / "walk.zarr", random.Random(0), Counter(), 0
    lived = list(islice(live(), 3000))
    known = {frame.tobytes() for frames in lived for frame in frames.images.numpy()}

    def forever(begun):
        with closing(recorder(path)) as writer:
            writer.go_on()
            while writer.step + 1 < len(lived):
                next(writer)
                if writer.step % 17 == 0:
                    writer.state_dict()
                if writer.step % 400 == 0:
                    begun()
            begun()
            signal.pause()  # all is written; it is killed all the same

    def look():
        nonlocal steps
        summary = examine(str(path))
        assert (summary["damaged"], summary["steps"] >= steps) == ([], True)
        steps = summary["steps"]
        for settings in ({"order": "shuffled"}, {"order": "window", "window": 90}, {"order": "episodes"}):
            with closing(replay_of(path, **settings)) as replay:
                shown = [frame.tobytes() for frames in replay for frame in frames.images.numpy()]
            assert set(shown) <= known
            assert len(set(shown)) == len(shown)
            shown_frames[settings["order"]] += len(shown)

    for _ in range(4):
        killed(forever, after=draws.uniform(0, 0.1), meanwhile=look)
        look()
    assert min(shown_frames.values()) > 3 * 400


def test_a_learner_killed_while_it_records_ends_with_the_same_weights_and_recording(tmp_path):
    draws = random.Random(1)
    world = ["env=counting", "env.size=16", "env.num_worlds=4", "env.episode_length=6", "run.frames=160"]

    def settings(path):
        return composing.read(
            [*(text for text in RUN if text[:3] != "env"), *world, "learner=bp", f"stream.record={path}"]
        )

    def learn(run, checkpoints, begun=lambda: None):
        state, _ = load_newest(checkpoints)
        if state:
            run.load_state_dict(state)
        else:
            save(checkpoints, run.state_dict(), frames=0)
        begun()
        with closing(run.stream.frames):
            while run.frames < 160:
                pairs = next(run.stream)
                run.learner.update(pairs)
                run.frames, run.updates = pairs.frames, run.updates + 1
                if run.updates % 3 == 0 or run.frames >= 160:
                    save(checkpoints, run.state_dict(), frames=run.frames)
        return weights_sha256(run.learner.network.state_dict())

    ends = []
    for name in ("killed", "straight"):
        (tmp_path / name).mkdir()
        asked = settings(tmp_path / f"{name}.zarr")
        for _ in range(KILLS if name == "killed" else 0):
            killed(
                lambda begun, name=name, asked=asked: learn(build(asked), tmp_path / name, begun),
                after=draws.uniform(0, 0.12),
            )
        ends.append((learn(build(asked), tmp_path / name), files(tmp_path / f"{name}.zarr")))
    assert ends[0][0] == ends[1][0]
    assert ends[0][1] == ends[1][1]


@pytest.mark.parametrize(
    ("owner", "call", "number"),
    [
        (os, "fsync", errno.EIO),
        (Path, "replace", errno.EIO),
        (Path, "open", errno.ENOSPC),
        (Path, "mkdir", errno.ENOSPC),
    ],
)
def test_a_disk_that_fails_at_any_write_costs_nothing_that_was_committed(tmp_path, monkeypatch, owner, call, number):
    base, straight = recorded(tmp_path / "base.zarr", 330 * 3), recorded(tmp_path / "straight.zarr", 350 * 3)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # quicker, and nobody pulls the plug here
    whole = getattr(owner, call)
    for fatal in itertools.count():
        path, calls = tmp_path / f"{fatal}.zarr", itertools.count()
        shutil.copytree(base, path)

        def fails(*arguments, calls=calls, fatal=fatal, **named):
            if (call != "open" or "xb" in arguments) and next(calls) == fatal:
                raise OSError(number, os.strerror(number))
            return whole(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(owner, call, fails)
            failed = False
            try:
                record([*SMALL, f"record.path={path}", f"record.frames={350 * 3}"])
            except OSError as error:
                failed = error.errno == number
        assert failed or committed(path) == 350  # or both, where all was written before the very last failed
        assert_is_the_walk(path, committed(path))
        assert not list(path.rglob("*.tmp"))
        if not failed:
            break
        record([*SMALL, f"record.path={path}", f"record.frames={350 * 3}"])
        assert files(path) == files(straight)
        shutil.rmtree(path)
    assert fatal > (3 if call == "mkdir" else 10)


def test_no_commit_lasts_after_one_that_failed(tmp_path, monkeypatch):
    """Commits are put on the disk behind the back of whoever adds frames; each only where the one before it is."""
    whole, failing = LocalFolder.put, "episode/c/1/0"

    def put(folder, key, data):
        if key == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(folder, key, data)

    monkeypatch.setattr(LocalFolder, "put", put)
    writer = Writer(f"{tmp_path}/walk.zarr", {"env": {"name": "imported"}, "seed": 0, "gaze": "fixed"}, setting="path")

    def write():
        for step in range(5 * 1024):
            writer.add(Frames(torch.full((1, 2, 2, 3), step % 256, dtype=torch.uint8), torch.tensor([0]), step, {}))
            if writer.full:
                writer.commit(wait=False)

    with closing(writer):
        writer.open(fresh=True)
        with pytest.raises(OSError, match="No space"):
            write()
        for _ in range(3):  # whoever asks again is told again
            with pytest.raises(OSError, match="No space"):
                writer.commit()
    assert committed(tmp_path / "walk.zarr") == 1024
    assert Recording(f"{tmp_path}/walk.zarr").span(0, 1024, "images")[:, 0, 0, 0, 0].tolist() == [*range(256)] * 4
