"""Whatever stops the writer: what was committed is there to the bit, and the recorder goes on from it."""

import errno
import itertools
import json
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
from test_online import SMALL as RUN
from test_record import SMALL, assert_is_the_walk, files, live, recorded, recorder

from envs.errors import SettingError
from learners.online import build
from runs import settings as told
from runs.checkpoint import load_newest, save, weights_sha256
from streams.check import check, examine
from streams.files import LocalFolder
from streams.orders import OrderSettings
from streams.record import record
from streams.recording import Recording
from streams.replay import Replay
from streams.types import Frames
from streams.writer import Writer

KILLS = 50
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def committed(path):
    mark = Path(path) / "zarr.json"
    return json.loads(mark.read_text())["attributes"]["committed"] if mark.exists() else 0


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
    path, draws, seen, steps = tmp_path / "walk.zarr", random.Random(0), Counter(), 0
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
        found = examine(str(path))
        assert (found["damaged"], found["steps"] >= steps) == ([], True)
        steps = found["steps"]
        for settings in ({"order": "shuffled"}, {"order": "window", "window": 90}, {"order": "episodes"}):
            with closing(Replay(str(path), order=OrderSettings(**settings))) as replay:
                shown = [frame.tobytes() for frames in replay for frame in frames.images.numpy()]
            assert set(shown) <= known
            assert len(set(shown)) == len(shown)
            seen[settings["order"]] += len(shown)

    for _ in range(4):
        killed(forever, after=draws.uniform(0, 0.1), meanwhile=look)
        look()
    assert min(seen.values()) > 3 * 400


def test_a_learner_killed_while_it_records_ends_with_the_same_weights_and_recording(tmp_path):
    draws = random.Random(1)
    world = ["env=counting", "env.size=16", "env.num_worlds=4", "env.episode_length=6", "run.frames=160"]

    def settings(path):
        return told.read([*(text for text in RUN if text[:3] != "env"), *world, "learner=bp", f"stream.record={path}"])

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
            writer.add(Frames(torch.full((1, 3, 2, 2), step % 256, dtype=torch.uint8), torch.tensor([0]), step, {}))
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


@pytest.fixture
def walk(tmp_path):
    return recorded(tmp_path / "walk.zarr", 700 * 3)


HURT = {
    "a flipped bit": lambda file: file.write_bytes(
        bytes([*file.read_bytes()[:40], file.read_bytes()[40] ^ 4]) + file.read_bytes()[41:]
    ),
    "a cut": lambda file: file.write_bytes(file.read_bytes()[:-50]),
    "an empty file": lambda file: file.write_bytes(b""),
    "no file": Path.unlink,
}


@pytest.mark.parametrize("hurt", HURT)
@pytest.mark.parametrize("name", ["images", "episode", "factors/age"])
def test_damage_is_named_and_never_shown(walk, hurt, name, capsys):
    file = next(file for file in (walk / name / "c" / "1").rglob("*") if file.is_file())
    HURT[hurt](file)
    where = str(file.relative_to(walk))
    with closing(Replay(str(walk))) as replay:
        for lived in islice(live(), 336):
            assert torch.equal(next(replay).images, lived.images)
        with pytest.raises(SettingError, match=f"{where} is damaged") as caught:
            next(replay)
    assert "\n" not in str(caught.value)
    assert check(str(walk)) == 1
    said = capsys.readouterr().out.replace("\n", "")
    assert where in said
    assert "the first 336 of 700 steps are sound" in said


def test_a_sound_recording_is_summed_up(walk, capsys):
    found = examine(str(walk))
    assert (found["frames"], found["steps"], found["worlds"], found["size"]) == (2100, 700, 3, [4, 4])
    assert (found["damaged"], found["sound_steps"]) == ([], 700)
    assert found["episodes"] == sum(len(set(row)) for row in Recording(str(walk)).span(0, 700, "episode").T.tolist())
    assert found["compression"] > 1
    assert check(str(walk)) == 0
    assert "2,100: 700 steps of 3 worlds, 4x4" in capsys.readouterr().out


def changed(walk, name, change):
    path = walk / name / "zarr.json" if name else walk / "zarr.json"
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def outside(walk, name):
    """Moves a part of the recording out and puts a link in its place."""
    shutil.move(walk / name, walk.parent / "elsewhere")
    (walk / name).symlink_to(walk.parent / "elsewhere")


def instead(walk, make):
    """Something else in place of a shard."""
    place = walk / "images" / "c" / "0" / "0" / "0" / "0" / "0"
    place.unlink()
    make(place)


UNTRUSTED = {
    "another format": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(format="other/1")),
        "has format other/1",
    ),
    "another version": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(format="contiguity-stream/2")),
        "has format contiguity-stream/2, and this version reads contiguity-stream/1",
    ),
    "no attributes": (lambda w: changed(w, "", lambda d: d.pop("attributes")), "is no recording of ours"),
    "no JSON": (lambda w: (w / "zarr.json").write_text("{"), "no JSON"),
    "deep JSON": (lambda w: (w / "zarr.json").write_text("[" * 100_000), "no JSON"),
    "a list": (lambda w: (w / "zarr.json").write_text("[]"), "no object"),
    "a mark past the end": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(committed=9999)),
        "images has 700 steps",
    ),
    "a mark that is none": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(committed="all")),
        "committed='all'",
    ),
    "nothing committed": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(committed=0)),
        "holds no frames yet",
    ),
    "a factor elsewhere": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(factors=["../../secret"])),
        "are no names",
    ),
    "objects": (lambda w: changed(w, "factors/age", lambda d: d.update(data_type="object")), "numbers of type object"),
    "another codec": (
        lambda w: changed(w, "images", lambda d: d.update(codecs=[{"name": "numcodecs.pickle"}])),
        "images is no array of chunks in shards",
    ),
    "images of floats": (lambda w: changed(w, "images", lambda d: d.update(data_type="float32")), "images"),
    "other worlds": (
        lambda w: changed(
            w,
            "episode",
            lambda d: (d["shape"].__setitem__(1, 2), d["chunk_grid"]["configuration"]["chunk_shape"].__setitem__(1, 2)),
        ),
        "episode has",
    ),
    "an array gone": (lambda w: shutil.rmtree(w / "factors" / "age"), "lacks factors/age/zarr.json"),
    "a pipe for a file": (lambda w: instead(w, os.mkfifo), "is damaged: the file is missing"),
    "a folder for a file": (lambda w: instead(w, os.mkdir), "is damaged: the file is missing"),
    "a linked array": (lambda w: outside(w, "images"), "is a link"),
    "a linked document": (lambda w: outside(w, "zarr.json"), "is a link"),
}


@pytest.mark.parametrize("wrong", UNTRUSTED)
def test_what_is_no_recording_of_ours_is_one_line(walk, wrong):
    change, line = UNTRUSTED[wrong]
    change(walk)
    with pytest.raises(SettingError, match=line) as caught, closing(Replay(str(walk))) as replay:
        next(replay)
    assert "\n" not in str(caught.value)
    assert str(walk) in str(caught.value)


def test_a_linked_shard_is_not_followed_and_not_written_through(walk):
    outside(walk, "images/c/2")
    before = files(walk.parent / "elsewhere")
    with closing(Replay(str(walk), start=690)) as replay, pytest.raises(SettingError, match="is a link"):
        next(replay)
    with pytest.raises(SettingError, match="is a link"):
        record([*SMALL, f"record.path={walk}", f"record.frames={720 * 3}"])
    assert files(walk.parent / "elsewhere") == before


@pytest.mark.parametrize(
    "env",
    [
        {"name": "os:system"},
        {"name": "counting", "id": "os:x", "sise": 4},
        {"name": "counting", "size": 8},
        {"name": "counting", "size": 4, "episode_length": [7]},
        {"name": "counting", "size": 4, "stagger": 1},
        {"name": "moving_objects", "size": 4, "moving": [["scale"]]},
        {"name": "moving_images", "size": 4, "path": 7},
    ],
)
def test_a_world_is_made_only_of_settings_that_are_ours(walk, env):
    changed(walk, "", lambda found: found["attributes"].update(env=env))
    with pytest.raises(SettingError, match="tells of a world|was altered"):
        told.read(["stream=replay", f"stream.path={walk}"])


def test_no_code_of_torchvision_is_called_because_a_recording_says_so(walk):
    env = {"name": "moving_images", "size": 4, "num_worlds": 3, "path": f"{walk}/pictures", "dataset": "LSUN"}
    changed(walk, "", lambda found: found["attributes"].update(env=env))
    asked = ["stream=replay", f"stream.path={walk}"]
    with pytest.raises(SettingError, match="add env=moving_images env.dataset=LSUN, or eval.every=0"):
        told.read(asked)
    for more in (["eval.every=0"], ["env=moving_images", "env.dataset=LSUN"]):
        assert told.read([*asked, *more]).env.dataset == "LSUN"
