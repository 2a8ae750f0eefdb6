"""Pictures are decoded by other processes, in order, and whatever happens to one is one line."""

import multiprocessing
import os
import signal

import numpy as np
import pytest
from PIL import Image

from envs.errors import SettingError
from envs.images.folders import listing
from envs.settings import read
from streams.importing import ImportSettings, import_stream
from streams.media import pictures
from streams.media.pictures import fitted
from streams.recording.reader import Recording


@pytest.fixture
def many(tmp_path, monkeypatch):
    """23 pictures that spell their number, four of which are decoded together, by other processes."""
    monkeypatch.setattr(pictures, "TOGETHER", 4)
    (tmp_path / "many").mkdir()
    for number in range(23):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / "many" / f"{number}.png")
    return tmp_path / "many"


def test_processes_decode_ahead_in_order_and_are_deaf_to_ctrl_c(many):
    parts = pictures.decoded(listing(many, (".png",)).files, size=4)
    taken = [next(parts)]
    workers = multiprocessing.active_children()
    assert workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGINT)
    taken += parts
    assert [len(part.images) for part in taken] == [4, 4, 4, 4, 4, 3]
    assert np.array_equal(
        np.concatenate([part.images for part in taken]), np.arange(23)[:, None, None, None] * np.ones((1, 4, 4, 3))
    )


def test_processes_end_with_whoever_takes_no_more(many):
    others = set(multiprocessing.active_children())  # of other tests
    parts = pictures.decoded(listing(many, (".png",)).files, size=0)
    next(parts)
    workers = set(multiprocessing.active_children()) - others
    parts.close()
    assert workers
    assert not workers & set(multiprocessing.active_children())


def test_large_pictures_are_handed_over_fewer_at_once(many, monkeypatch):
    monkeypatch.setattr(pictures, "SLOT_BYTES", 2 * 8 * 8 * 3 + 1)
    parts = list(pictures.decoded(listing(many, (".png",)).files, size=0))
    assert [len(part.images) for part in parts] == [2] * 11 + [1]
    assert np.concatenate([part.images for part in parts])[:, 0, 0, 0].tolist() == list(range(23))


def test_a_torn_picture_is_named_once_those_before_it_are_taken(many):
    (many / "13.png").write_bytes(b"no picture")
    parts = pictures.decoded(listing(many, (".png",)).files, size=0)
    assert [next(parts).images[:, 0, 0, 0].tolist() for _ in range(3)] == np.arange(12).reshape(3, 4).tolist()
    with pytest.raises(SettingError, match="13.png"):
        next(parts)


def test_a_picture_of_another_size_is_refused_wherever_it_lies(many):
    Image.new("RGB", (9, 7)).save(many / "21.png")
    with pytest.raises(SettingError, match="many mixes sizes, 8x8 and 9x7; try size=7"):
        import_stream(read(ImportSettings, [f"source={many}", f"path={many}.zarr", "names=.*"]))


def test_a_process_that_is_killed_is_one_line(many, monkeypatch):
    shown, own = pictures.shown, os.getpid()
    monkeypatch.setattr(pictures, "shown", lambda file: shown(file) if os.getpid() == own else os._exit(1))
    with pytest.raises(SettingError, match="source=.* can't be decoded, .* memory enough") as caught:
        import_stream(read(ImportSettings, [f"source={many}", f"path={many}.zarr", "names=.*"]))
    assert "\n" not in str(caught.value)


def test_an_import_that_ends_midway_says_what_to_do(many, monkeypatch):
    monkeypatch.setattr("streams.recording.codec.SHARD_FRAMES", 16)
    (many / "22.png").write_bytes(b"no picture")
    settings = read(ImportSettings, [f"source={many}", f"path={many}.zarr", "names=.*"])
    with pytest.raises(SettingError, match="22.png.*; .*zarr ends before that: remove it, and import again"):
        import_stream(settings)
    assert Recording(f"{many}.zarr").committed == 16
    with pytest.raises(SettingError, match="holds a recording already; remove it"):
        import_stream(settings)


def test_an_image_is_cut_to_its_middle():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 200
    assert (fitted(image, 5) > 150).all()
    assert fitted(image, 0) is image
