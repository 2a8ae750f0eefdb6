"""What is damaged is named and never shown; what is no recording of ours is one line, and nothing of it is run."""

import os
import shutil
from contextlib import closing

import pytest

from envs.errors import SettingError
from runs.config import composing
from streams.record import record
from tests.helpers.recordings import SMALL, changed, files, recorded, replay_of


@pytest.fixture
def walk(tmp_path):
    return recorded(tmp_path / "walk.zarr", 700 * 3)


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
        lambda w: changed(w, "", lambda d: d["attributes"].update(format="contiguity-stream/3")),
        "has format contiguity-stream/3, and this version reads contiguity-stream/2",
    ),
    "no attributes": (lambda w: changed(w, "", lambda d: d.pop("attributes")), "is no recording of ours"),
    "no JSON": (lambda w: (w / "zarr.json").write_text("{"), "no JSON"),
    "nothing at all": (lambda w: (w / "zarr.json").write_text(""), "no JSON"),
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
    "parts that are none": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(masked=[[0, "x"]])),
        "which are no parts of it",
    ),
    "a source that is none": (
        lambda w: changed(w, "", lambda d: d["attributes"].update(source=["here"])),
        "which is no dict",
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
    with pytest.raises(SettingError, match=line) as caught, closing(replay_of(walk)) as replay:
        next(replay)
    assert "\n" not in str(caught.value)
    assert str(walk) in str(caught.value)


def test_a_linked_shard_is_not_followed_and_not_written_through(walk):
    outside(walk, "images/c/2")
    before = files(walk.parent / "elsewhere")
    with closing(replay_of(walk, start=690)) as replay, pytest.raises(SettingError, match="is a link"):
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
    changed(walk, "", lambda metadata: metadata["attributes"].update(env=env))
    with pytest.raises(SettingError, match="tells of a world|was altered"):
        composing.read(["stream=replay", f"stream.path={walk}"])


def test_no_code_of_torchvision_is_called_because_a_recording_says_so(walk):
    env = {"name": "moving_images", "size": 4, "num_worlds": 3, "path": f"{walk}/pictures", "dataset": "LSUN"}
    changed(walk, "", lambda metadata: metadata["attributes"].update(env=env))
    asked = ["stream=replay", f"stream.path={walk}"]
    with pytest.raises(SettingError, match="add env=moving_images env.dataset=LSUN, or eval.every=0"):
        composing.read(asked)
    for more in (["eval.every=0"], ["env=moving_images", "env.dataset=LSUN"]):
        assert composing.read([*asked, *more]).env.dataset == "LSUN"
