"""A recording on an S3-compatible server is as one on the disk: exact, gone on with, checked, and one writer's."""

from contextlib import closing

import pytest
from fsspec import config as known

from envs.errors import SettingError
from streams.check import check, examine
from streams.recording.storage import RemoteFolder, open_folder, read
from tests.helpers.recordings import SMALL, assert_is_the_walk, files, recorded, recorder, refused
from tests.helpers.s3 import bucket


@pytest.fixture(scope="module")
def store():
    """A bucket `walks` on a server of our own, to which s3:// leads."""
    with bucket("walks") as options:
        yield options


def test_a_recording_there_has_the_same_files_and_is_gone_on_with(store, tmp_path):
    url, here = "s3://walks/one.zarr", tmp_path / "one.zarr"
    recorded(url, 600)
    assert_is_the_walk(url, 200)
    recorded(url, 1203)
    assert_is_the_walk(url, 401)
    there = open_folder(url)
    assert check(url) == 0
    for name, data in files(recorded(here, 1203)).items():
        assert read(there, str(name)) == data, name
    assert sorted(there.names("")) == sorted(child.name for child in here.iterdir())


def test_a_flipped_bit_there_is_told_by_name(store):
    url = "s3://walks/hurt.zarr"
    recorded(url, 60)
    folder, key = open_folder(url), "images/c/0/0/0/0/0"
    data = bytearray(read(folder, key))
    data[3] ^= 1
    folder.put(key, bytes(data))
    assert examine(url)["damaged"] == [f"{url}/{key} chunk 0 has a wrong checksum"]


def test_a_second_writer_there_is_refused(store, monkeypatch):
    url = "s3://walks/two.zarr"
    with closing(recorder(url)) as first, closing(recorder(url)) as second:
        next(first)
        for _ in range(2):
            with pytest.raises(
                SettingError, match=f"being written by another process; if none does, remove {url}.lock"
            ):
                next(second)
            monkeypatch.setattr(RemoteFolder, "being_written", False)  # as to one who looked a moment too early
        monkeypatch.undo()
        first.state_dict()
    assert_is_the_walk(url, 1)
    with closing(recorder(url)) as third, pytest.raises(SettingError, match="holds 1 steps already"):
        next(third)


@pytest.mark.parametrize(
    ("url", "options", "line"),
    [
        ("s3://nowhere/one.zarr", {}, "s3://nowhere/one.zarr"),
        (
            "s3://walks/one.zarr",
            {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}},
            "s3://walks/one.zarr",
        ),
    ],
)
def test_a_store_that_does_not_answer_is_one_line(store, monkeypatch, capsys, url, options, line):
    monkeypatch.setitem(known.conf, "s3", store | options)
    monkeypatch.setattr("sys.argv", ["record", *SMALL, f"record.path={url}", "record.frames=60"])
    message = refused(capsys)
    assert line in message
    assert message.rstrip().endswith("see that it can be reached")
