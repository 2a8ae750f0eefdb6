"""What is imported is what was there, neighbours beside neighbours; and what can't be is one line."""

import shutil
import struct
from contextlib import closing
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
import xarray
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from envs.errors import SettingError
from envs.settings import read as read_settings
from learners.online import PROGRAM
from runs.config.composing import read
from runs.launch.start import start
from runs.launch.validate import check
from runs.store.metrics import read as read_metrics
from streams import importing, view
from streams.check import check as check_recording
from streams.importing import ImportSettings, blocks, import_stream
from streams.media.source import Report
from streams.media.video import Clip, film_frames
from streams.recording.reader import Recording
from streams.types import Frames
from tests.helpers.datasets import fake_cifar10
from tests.helpers.recordings import replay_of


def brought(tmp_path, *overrides):
    """(images (T, H, W, 3), episode (T,), factors) of what was imported."""
    assert import_stream(read_settings(ImportSettings, [*overrides, f"path={tmp_path}/new.zarr"])) == 0
    recording = Recording(f"{tmp_path}/new.zarr")
    arrays = {
        name.removeprefix("factors/"): recording.span(0, recording.committed, name)[:, 0] for name in recording.names
    }
    return arrays.pop("images"), arrays.pop("episode"), arrays


def turntable(objects=3, angles=(0, 5, 10, 100, 355)):
    """Pictures that spell object and angle, and both as arrays."""
    rows = [(one, angle) for one in range(objects) for angle in angles]
    images = np.array([np.full((8, 8, 3), (40 * one, angle // 2, 7)) for one, angle in rows], np.uint8)
    return images, *np.array(rows).T


def picture(file, number=0, size=(8, 8), **options):
    """A picture whose red says its number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number, 0, 0)).save(file, **options)


def film(file, times_s=(0, 0.1, 0.2), *, size=(32, 16), aspect=1, turned=None):
    """A film whose left half is bright; `turned` is a b c d of its display matrix."""
    front = {"movflags": "faststart"} if file.suffix == ".mp4" else {}  # what the file holds stands at its beginning
    with av.open(str(file), "w", options=front) as container:
        stream = container.add_stream("mpeg4", 30)
        stream.width, stream.height = size
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        for number, time_s in enumerate(times_s):
            pixels = np.zeros((size[1], size[0], 3), np.uint8)
            pixels[:, : size[0] // 2] = 100 + 20 * number % 150
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if turned:
        data, (a, b, c, d) = bytearray(file.read_bytes()), turned
        at = data.index(b"tkhd") + 44
        data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        file.write_bytes(data)
    return file


def test_a_turntable_of_files_has_neighbouring_angles_as_neighbours(tmp_path):
    images, objects, angles = turntable()
    (tmp_path / "coil").mkdir()
    for image, one, angle in zip(images, objects, angles, strict=True):
        Image.fromarray(image).save(tmp_path / "coil" / f"obj{one + 1}__{angle}.png")  # by name, 100 comes before 5
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/coil")
    assert np.array_equal(pixels, images)
    assert np.array_equal(episode, objects)
    assert np.array_equal(factors["category"], objects)
    assert np.array_equal(factors["angle"], angles)
    assert factors["age"].tolist() == [0, 1, 2, 3, 4] * 3


def test_a_turntable_in_an_array_does_too_whatever_the_order_of_its_rows(tmp_path):
    images, objects, angles = turntable()
    mixed = np.random.default_rng(0).permutation(len(images))
    np.savez(tmp_path / "coil.npz", images=images[mixed], labels=objects[mixed], angle=angles[mixed])
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/coil.npz", "episode=labels", "angle=angle")
    assert np.array_equal(pixels, images)
    assert np.array_equal(episode, objects)
    assert np.array_equal(factors["angle"], angles)


@pytest.mark.parametrize("version", [2, 3])
def test_so_does_one_in_a_zarr_of_either_format(tmp_path, version):
    images, objects, angles = turntable()
    group = zarr.create_group(tmp_path / "coil.zarr", zarr_format=version)
    for name, values in {"images": images[::-1], "labels": objects[::-1], "angle": angles[::-1]}.items():
        group.create_array(name, data=values.copy())
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/coil.zarr", "episode=labels", "angle=angle")
    assert np.array_equal(pixels, images)
    assert np.array_equal(episode, objects)
    assert np.array_equal(factors["angle"], angles)


def test_pictures_of_mixed_sizes_are_refused_and_fitted_where_a_size_is_asked_for(tmp_path):
    (tmp_path / "mixed").mkdir()
    for name, size in {"a.png": (8, 8), "b.png": (9, 7)}.items():
        Image.new("RGB", size).save(tmp_path / "mixed" / name)
    with pytest.raises(SettingError, match="mixed mixes sizes, 8x8 and 9x7; try size=7"):
        brought(tmp_path, f"source={tmp_path}/mixed")
    assert brought(tmp_path, f"source={tmp_path}/mixed", "size=7")[0].shape == (2, 7, 7, 3)


def test_a_folder_is_an_episode_and_ten_comes_after_two(tmp_path):
    for folder in "ab":
        (tmp_path / "walks" / folder).mkdir(parents=True)
        for frame in (1, 2, 10):
            pixels = np.full((8, 8, 3), frame + 100 * (folder == "b"), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "walks" / folder / f"frame-{frame}.png")
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/walks", "names=.*")
    assert pixels[:, 0, 0, 0].tolist() == [1, 2, 10, 101, 102, 110]
    assert episode.tolist() == factors["category"].tolist() == [0, 0, 0, 1, 1, 1]


def of_classes(folder, *, follows):
    """Two folders of numbered pictures: of a disc that moves, or of noise."""
    draws = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            pixels = draws.integers(256, size=(16, 16, 3), dtype=np.uint8)
            if follows:
                pixels = np.full((16, 16, 3), 60 * label, np.uint8)
                pixels[4:12, number : number + 4] = 250
            Image.fromarray(pixels).save(folder / name / f"{number:04}.png")
    return folder


def test_folders_of_frames_are_episodes_and_it_is_said_how_they_would_be_none(tmp_path, capsys):
    folder = of_classes(tmp_path / "walks", follows=True)
    assert brought(tmp_path, f"source={folder}")[1].tolist() == [0] * 12 + [1] * 12
    assert "each folder is an episode; names=single makes each picture one" in capsys.readouterr().out


def test_folders_of_numbered_pictures_that_do_not_follow_one_another_are_asked_about(tmp_path):
    folder = of_classes(tmp_path / "kinds", follows=False)
    with pytest.raises(SettingError, match="source=.*kinds has folders whose .*names=frames.* .names=single"):
        brought(tmp_path, f"source={folder}")
    assert not (tmp_path / "new.zarr").exists()
    assert brought(tmp_path, f"source={folder}", "names=frames")[1].tolist() == [0] * 12 + [1] * 12
    shutil.rmtree(tmp_path / "new.zarr")
    _, episode, factors = brought(tmp_path, f"source={folder}", "names=single")
    assert episode.tolist() == list(range(24))
    assert factors["category"].tolist() == [0] * 12 + [1] * 12


def test_of_folders_that_are_asked_about_those_of_single_pictures_are_named(tmp_path):
    folder = of_classes(tmp_path / "kinds", follows=False)
    shutil.copytree(of_classes(tmp_path / "walks", follows=True) / "dog", folder / "walk")
    with pytest.raises(SettingError, match=r"\(cat, dog: 2 of the 3 that were looked into\)"):
        brought(tmp_path, f"source={folder}")


def test_several_films_are_counted_in_plain_words(tmp_path, capsys):
    for name in "ab":
        frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 100, 200)]
        (tmp_path / "films").mkdir(exist_ok=True)
        frames[0].save(tmp_path / "films" / f"{name}.gif", save_all=True, append_images=frames[1:])
    brought(tmp_path, f"source={tmp_path}/films")
    assert "2 films or moving pictures, each an episode" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["npy", "zarr"])
def test_pictures_that_follow_nothing_are_episodes_of_their_own(tmp_path, kind):
    images = turntable()[0]
    if kind == "npy":
        np.save(tmp_path / "x.npy", images)
    else:
        zarr.open_group(tmp_path / "x.zarr", mode="w").create_array("images", data=images)
    pixels, episode, _ = brought(tmp_path, f"source={tmp_path}/x.{kind}")
    assert np.array_equal(pixels, images)
    assert episode.tolist() == list(range(len(images)))


def test_a_torchvision_set_is_imported_from_where_it_lies(tmp_path, monkeypatch):
    images = fake_cifar10(tmp_path, monkeypatch)
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}", "dataset=CIFAR10")
    assert np.array_equal(pixels, images)
    assert episode.tolist() == list(range(10))
    assert factors["category"].tolist() == [3, 7] * 5


def test_a_recording_is_written_as_a_film_and_the_film_is_imported(tmp_path, capsys):
    np.savez(tmp_path / "c.npz", images=turntable()[0].repeat(8, 1).repeat(8, 2), labels=turntable()[1])
    import_stream(
        read_settings(ImportSettings, [f"source={tmp_path}/c.npz", f"path={tmp_path}/c.zarr", "episode=labels"])
    )
    shown = {"worlds": 1, "steps": 15, "start": 0, "stride": 1}
    for out in ("c.mp4", "c.gif", "c.png"):
        assert view.view(f"{tmp_path}/c.zarr", out=tmp_path / out, **shown) == 0
    with Image.open(tmp_path / "c.gif") as moving:
        assert moving.n_frames > 1
    with Image.open(tmp_path / "c.png") as strip:
        assert strip.size == (15 * 66 - 2, 64)
    (tmp_path / "films").mkdir()
    (tmp_path / "c.mp4").rename(tmp_path / "films" / "c.mp4")
    (tmp_path / "c.png").rename(tmp_path / "films" / "poster.png")
    capsys.readouterr()
    pixels, episode, _ = brought(tmp_path, f"source={tmp_path}/films", "size=16", "every=5")
    assert "passed over: 1 pictures beside films (poster.png)" in capsys.readouterr().out
    assert episode.tolist() == [0, 0, 0]
    assert np.abs(pixels[:, 8, 8].astype(int) - turntable()[0][::5, 4, 4]).max() < 16  # H.264 is lossy


def test_a_moving_picture_that_was_written_here_is_imported(tmp_path):
    np.savez(tmp_path / "c.npz", images=turntable()[0].repeat(8, 1).repeat(8, 2))
    import_stream(read_settings(ImportSettings, [f"source={tmp_path}/c.npz", f"path={tmp_path}/c.zarr"]))
    view.view(f"{tmp_path}/c.zarr", out=tmp_path / "c.gif", worlds=1, steps=15, start=0, stride=1)
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/c.gif")
    assert episode.tolist() == [0] * 15
    assert np.abs(pixels[:, 32, 32].astype(int) - turntable()[0][:, 4, 4]).max() < 16  # 256 colours
    assert factors["frame"].tolist() == list(range(15))
    assert np.allclose(np.diff(factors["time"]), 0.08)


def test_numbers_alone_are_frames_of_one_episode(tmp_path, capsys):
    for number in (998, 999, 1000, 1001):
        picture(tmp_path / "walk" / f"{number:04}.png", number - 998)
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/walk")
    assert pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert episode.tolist() == factors["category"].tolist() == [0] * 4
    assert factors["frame"].tolist() == [998, 999, 1000, 1001]
    assert "angle" not in factors
    said = capsys.readouterr().out
    assert "4 pictures; 0998.png is frame 998" in said
    assert "1 episode of 4 frames, frames 998 to 1001" in said


def test_signed_angles_keep_their_signs_and_are_shown_before(tmp_path, capsys):
    for angle in (-30, 0, 30):
        picture(tmp_path / "cups" / f"cup_{angle}.png", angle + 30)
        picture(tmp_path / "cups" / f"mug_{angle}.png", angle + 130)
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/cups")
    assert pixels[:, 0, 0, 0].tolist() == [0, 30, 60, 100, 130, 160]
    assert factors["angle"].tolist() == [-30, 0, 30] * 2
    assert episode.tolist() == factors["category"].tolist() == [0, 0, 0, 1, 1, 1]
    said = capsys.readouterr().out
    assert "6 pictures; cup_-30.png is object cup, angle -30" in said
    assert "2 episodes of 3 frames of 2 objects, angles -30 to 30" in said
    assert "2 categories: cup, mug" in said


def test_times_in_names_are_times(tmp_path):
    for number, time in enumerate(("12-59-58", "12-59-59.5", "13-00-00")):
        picture(tmp_path / "cam" / f"cam_{time}.png", number)
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/cam")
    assert episode.tolist() == factors["category"].tolist() == [0] * 3
    assert factors["time"].tolist() == [0, 1.5, 2]
    (tmp_path / "new.zarr").rename(tmp_path / "old.zarr")
    pixels, _, factors = brought(tmp_path, f"source={tmp_path}/cam", "fps=1")
    assert pixels[:, 0, 0, 0].tolist() == [0, 0, 2]
    assert factors["time"].tolist() == [0, 1, 2]


def test_names_that_may_be_read_in_two_ways_are_asked_about_and_leave_nothing(tmp_path):
    for name in ("obj1__0", "obj1__5", "cover"):
        picture(tmp_path / "cups" / f"{name}.png")
    with pytest.raises(SettingError, match="source=.*obj1__0.png is object obj1, angle 0 .*cover.png does not fit"):
        brought(tmp_path, f"source={tmp_path}/cups")
    assert not (tmp_path / "new.zarr").exists()
    assert len(brought(tmp_path, f"source={tmp_path}/cups", "names=turntable")[0]) == 2


def test_two_pictures_of_one_number_are_both_taken_and_it_is_said(tmp_path, capsys):
    for name in ("1.png", "1.bmp", "2.png"):
        picture(tmp_path / "walk" / name)
    assert brought(tmp_path, f"source={tmp_path}/walk")[2]["frame"].tolist() == [1, 1, 2]
    assert "1 picture of a number that another of the same episode has; both are taken" in capsys.readouterr().out


def test_the_names_of_classes_are_kept_and_shown(tmp_path, capsys):
    for number, name in enumerate(("1", "10", "2")):
        picture(tmp_path / "kinds" / name / "a.png", number)
    pixels, _, factors = brought(tmp_path, f"source={tmp_path}/kinds")
    assert pixels[:, 0, 0, 0].tolist() == [0, 2, 1]
    assert factors["category"].tolist() == [0, 1, 2]
    assert Recording(f"{tmp_path}/new.zarr").facts["source"]["categories"] == ["1", "2", "10"]
    capsys.readouterr()
    assert check_recording(f"{tmp_path}/new.zarr") == 0
    assert "1, 2, 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("turned", "expected"),
    [
        (None, [[1, 0], [1, 0]]),
        ((0, 1, -1, 0), [[1, 1], [0, 0]]),  # a quarter of a turn clockwise: the left half is above
        ((-1, 0, 0, -1), [[0, 1], [0, 1]]),
        ((0, -1, 1, 0), [[0, 0], [1, 1]]),
        ((-1, 0, 0, 1), [[0, 1], [0, 1]]),  # a mirror
    ],
)
def test_a_film_stands_upright(tmp_path, capsys, turned, expected):
    source = film(tmp_path / "a.mp4", size=(32, 32), turned=turned)
    pixels, _, _ = brought(tmp_path, f"source={source}")
    assert ((pixels[0, 8::16, 8::16, 0] > 50) == np.array(expected)).all()
    assert ("1 turned upright, as their metadata say (a.mp4)" in capsys.readouterr().out) == bool(turned)


@pytest.mark.parametrize(("aspect", "shape"), [(2, (32, 64)), ("1/2", (64, 32))])
def test_a_film_whose_pixels_are_not_square_is_stretched(tmp_path, capsys, aspect, shape):
    height, width = shape
    source = film(tmp_path / "a.mp4", size=(32, 32), aspect=aspect)
    with pytest.raises(SettingError, match=f"shows {width}x{height}, and networks need squares"):
        brought(tmp_path, f"source={source}")
    pixels, _, _ = brought(tmp_path, f"source={source}", "size=16")
    assert pixels.shape == (3, 16, 16, 3)
    assert "1 with pixels that are not square, stretched (a.mp4)" in capsys.readouterr().out


def test_a_film_that_ends_before_it_says_is_named(tmp_path, capsys):
    source = film(tmp_path / "a.mp4", tuple(np.arange(20) / 30), size=(64, 64))
    assert len(brought(tmp_path, f"source={source}", "size=16")[0]) == 20
    assert "fewer frames" not in capsys.readouterr().out
    (tmp_path / "new.zarr").rename(tmp_path / "old.zarr")
    whole = source.read_bytes()
    source.write_bytes(whole[: (whole.index(b"mdat") + len(whole)) // 2])
    pixels, _, _ = brought(tmp_path, f"source={source}", "size=16")
    assert 0 < len(pixels) < 20
    assert "1 with fewer frames than the file says (a.mp4)" in capsys.readouterr().out


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(kind=st.sampled_from(["mp4", "mkv", "avi"]), data=st.data())
def test_a_damaged_film_is_shown_or_named(tmp_path_factory, kind, data):
    folder = tmp_path_factory.getbasetemp()
    sound = folder / f"whole.{kind}"
    whole = bytearray((sound if sound.exists() else film(sound, size=(32, 32))).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[at:]
    (folder / f"hurt.{kind}").write_bytes(whole)
    report, message = Report(), ""
    try:
        frames = list(film_frames(Clip(str(folder / f"hurt.{kind}")), ImportSettings(), report))
    except SettingError as error:
        frames, message = [], str(error)
    assert bool(frames) != bool(message)
    assert "\n" not in message


def test_frames_of_a_film_at_uneven_times_keep_them_or_are_taken_evenly(tmp_path, capsys):
    source = film(tmp_path / "a.mkv", (0, 0.1, 0.2, 0.8), size=(16, 16))
    _, _, factors = brought(tmp_path, f"source={source}")
    assert np.allclose(factors["time"], [0, 0.1, 0.2, 0.8])
    assert factors["frame"].tolist() == [0, 1, 2, 3]
    assert "1 of frames at uneven times (fps= takes them evenly) (a.mkv)" in capsys.readouterr().out
    (tmp_path / "new.zarr").rename(tmp_path / "old.zarr")
    _, _, factors = brought(tmp_path, f"source={source}", "fps=10")
    assert np.allclose(factors["time"], np.arange(9) / 10)
    assert factors["frame"].tolist() == [0, 1, 2, 2, 2, 2, 2, 2, 3]


def test_frames_of_an_array_at_uneven_times_do_too(tmp_path, capsys):
    images, times = (
        np.arange(4, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3),
        [5, 6, 9, 7],
    )
    np.savez(tmp_path / "a.npz", images=images, times=times, walk=[0, 0, 0, 0])
    pixels, _, factors = brought(tmp_path, f"source={tmp_path}/a.npz", "episode=walk")
    assert pixels[:, 0, 0, 0].tolist() == [0, 1, 3, 2]
    assert factors["time"].tolist() == [0, 1, 2, 4]
    assert "of frames at uneven times (fps= takes them evenly) (1 to 2 s apart)" in capsys.readouterr().out
    (tmp_path / "new.zarr").rename(tmp_path / "old.zarr")
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/a.npz", "time=times", "fps=2")
    assert pixels[:, 0, 0, 0].tolist() == [0, 0, 1, 1, 3, 3, 3, 3, 2]
    assert episode.tolist() == [0] * 9
    assert factors["time"].tolist() == (np.arange(9) / 2).tolist()


def test_a_zarr_of_demonstrations_has_the_episodes_that_it_says(tmp_path):
    images = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)
    root = zarr.create_group(tmp_path / "pusht.zarr", zarr_format=2)
    root.create_group("data").create_array("img", data=images.astype(np.float32))  # as that data set has them
    root["data"].create_array("action", data=np.zeros((6, 2), np.float32))
    root.create_group("meta").create_array("episode_ends", data=np.array([4, 6]))
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/pusht.zarr")
    assert np.array_equal(pixels, images)
    assert episode.tolist() == [0, 0, 0, 0, 1, 1]
    assert factors["age"].tolist() == [0, 1, 2, 3, 0, 1]


def test_one_picture_in_an_array_is_one_picture(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", image)
    assert np.array_equal(brought(tmp_path, f"source={tmp_path}/a.npy")[0], image[None])


def test_torn_files_are_named_or_passed_over_by_name(tmp_path, capsys):
    for number in range(3):
        picture(tmp_path / "walk" / f"{number}.png", number)
    (tmp_path / "films").mkdir()
    film(tmp_path / "films" / "b.mp4", size=(16, 16))
    (tmp_path / "walk" / "1.png").write_bytes(b"\x89PNG")
    (tmp_path / "films" / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(SettingError, match="can't be read, 1.png; mend or remove it, or set skip_broken=true to pass"):
        brought(tmp_path, f"source={tmp_path}/walk")
    with pytest.raises(SettingError, match="a.mp4 can't be read as a video .*, or set skip_broken=true to pass"):
        brought(tmp_path, f"source={tmp_path}/films")
    pixels, _, factors = brought(tmp_path, f"source={tmp_path}/walk", "skip_broken=true")
    assert pixels[:, 0, 0, 0].tolist() == factors["frame"].tolist() == [0, 2]
    assert f"passed over, torn: {tmp_path}/walk/1.png" in capsys.readouterr().out
    (tmp_path / "new.zarr").rename(tmp_path / "old.zarr")
    _, episode, _ = brought(tmp_path, f"source={tmp_path}/films", "skip_broken=true")
    assert episode.tolist() == [1, 1, 1]
    assert f"passed over, torn: {tmp_path}/films/a.mp4 can't be read" in capsys.readouterr().out


def troublesome(folder):
    """A folder with one file of each troublesome kind, in two classes, one of which is a link."""
    exif = Image.Exif()
    exif[0x0112] = 6
    side = Image.fromarray(np.array([[[250] * 3, [0] * 3]] * 2, np.uint8).repeat(8, 0).repeat(8, 1))  # left is bright
    picture(folder / "cats" / "plain.png", 100, (16, 16))
    side.save(folder / "cats" / "lying.jpg", exif=exif, quality=98)
    for kind in ("avif", "jp2", "jfif", "bmp", "webp", "tif"):
        picture(folder / "cats" / f"other.{kind}", 100, (16, 16))
    other = folder.parent / "elsewhere"
    other.mkdir()
    Image.new("RGBA", (16, 16), (255, 0, 0, 0)).save(other / "clear.png")
    Image.fromarray(np.full((16, 16), 40000, np.uint16)).save(other / "deep.png")
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(other / "print.jpg", quality=98)
    frames = [Image.new("RGB", (16, 16), (0, 80 * number, 0)) for number in range(3)]
    frames[0].save(other / "dance.gif", save_all=True, append_images=frames[1:], duration=[100, 300, 100])
    (folder / "dogs").symlink_to(other)
    (other / "back").symlink_to(folder)
    picture(folder / ".ipynb_checkpoints" / "plain-checkpoint.png")
    (folder / "cats" / "._1.png").write_bytes(b"Mac")
    (folder / "cats" / "photo.heic").write_bytes(b"phone")
    (folder / "dogs" / "torn.png").write_bytes(b"\x89PNG")
    return folder


def test_a_folder_of_troublesome_files_is_imported_as_a_person_would_expect(tmp_path, capsys):
    folder = troublesome(tmp_path / "mine")
    arguments = f"source={folder}", "skip_broken=true"
    pixels, episode, factors = brought(tmp_path, *arguments)
    expected = [  # the middle of each frame's upper and lower half
        ((250, 250, 250), (0, 0, 0)),  # lying.jpg, upright: what is left in the file is above
        *[((100, 0, 0), (100, 0, 0))] * 7,
        ((255, 255, 255), (255, 255, 255)),  # clear.png
        ((156, 156, 156), (156, 156, 156)),  # deep.png
        ((0, 255, 255), (0, 255, 255)),  # print.jpg
        *[((0, green, 0), (0, green, 0)) for green in (0, 80, 160)],  # dance.gif
    ]
    assert np.abs(pixels[:, [4, 12], 8].astype(int) - np.array(expected)).max() < 12
    assert factors["category"].tolist() == [0] * 8 + [1] * 6
    assert episode.tolist() == [0] * 8 + [1] * 3 + [2] * 3
    assert np.allclose(factors["time"][-3:], [0, 0.1, 0.4])
    assert Recording(f"{tmp_path}/new.zarr").facts["source"]["categories"] == ["cats", "dogs"]
    said = capsys.readouterr().out
    for line in (
        "12 pictures; each folder is an episode, in the order of its names",
        "1 film or moving picture, each an episode",
        "2 categories: cats, dogs",
        "passed over: 2 hidden or of the system (.ipynb_checkpoints, cats/._1.png)",
        "passed over: 1 .heic (cats/photo.heic)",
        "passed over: 1 link(s) that lead back (dogs/back)",
        "1 turned upright, as their metadata say (lying.jpg)",
        "1 with transparent pixels, laid over white (clear.png)",
        "1 of 16 bits a channel, shown with 8 (deep.png)",
        f"passed over, torn: {folder}/dogs/torn.png",
    ):
        assert line in said
    again = blocks(read_settings(ImportSettings, list(arguments)))
    assert np.array_equal(torch.cat([block["images"][:, 0] for block in again]), pixels)  # which mending relies on


def test_a_learner_goes_through_an_imported_turntable(tmp_path):
    images, objects, angles = turntable(4, range(0, 60, 5))
    np.savez(tmp_path / "c.npz", images=images.repeat(2, 1).repeat(2, 2), labels=objects, angle=angles)
    overrides = [f"source={tmp_path}/c.npz", f"path={tmp_path}/c.zarr", "episode=labels", "angle=angle"]
    import_stream(read_settings(ImportSettings, overrides))
    replay = ["stream=replay", f"stream.path={tmp_path}/c.zarr", "stream.order=episodes", "stream.worlds=4"]
    settings = read([*replay, "stream.repeat=true", "run.frames=400"])
    check(settings)
    assert (settings.env.num_worlds, settings.env.size, settings.env.episode_length) == (4, 16, 12)
    few = ["eval.train=30", "eval.validation=9", "eval.test=9", "eval.every=200", "run.frames=400", "device=cpu"]
    few += ["memory=none", "network=conv4", "eval.transfer=[]"]
    assert start([*replay, "stream.repeat=true", *few, f"results_dir={tmp_path}", "run.name=one"], PROGRAM) == 0
    scores = read_metrics(tmp_path / "one" / "metrics.zarr")[1]["eval/linear"]["top1"]
    assert scores[-1] > 0.8  # objects have colours of their own
    with pytest.raises(SettingError, match="pairs.gap=12 is longer than an episode"):
        check(read([*replay, "pairs.gap=12"]))
    with pytest.raises(SettingError, match="stream.worlds=1 makes a batch of one"):
        PROGRAM.check(read(replay[:2]))
    with pytest.raises(SettingError, match="env.size=32 is not what stream.path=.* shows .env.size=16"):
        read([*replay, "env.size=32"])


def test_xarray_opens_it_with_names_for_its_dimensions(tmp_path):
    np.save(tmp_path / "x.npy", turntable()[0])
    pixels, episode, factors = brought(tmp_path, f"source={tmp_path}/x.npy")
    with xarray.open_zarr(tmp_path / "new.zarr", consolidated=False) as group:
        assert group["images"].dims == ("time", "world", "y", "x", "channel")
        assert np.array_equal(group["images"][:, 0], pixels)
        assert np.array_equal(group["episode"][:, 0], episode)
    with xarray.open_zarr(tmp_path / "new.zarr", group="factors", consolidated=False) as group:
        assert np.array_equal(group["age"][:, 0], factors["age"])


def test_a_recording_lives_at_any_url():
    path = "memory://walks/one.zarr"
    writer = importing.Writer(path, {"env": {"name": "imported"}, "seed": 0, "gaze": "fixed"}, setting="path")
    with closing(writer):
        writer.open(fresh=True)
        for step in range(20):
            pixels = torch.full((1, 4, 4, 3), step, dtype=torch.uint8)
            writer.add(Frames(pixels, torch.tensor([step // 7]), step, {"age": torch.tensor([step % 7])}))
        writer.commit()
        other = importing.Writer(path, writer.about, setting="path")
        with closing(other), pytest.raises(SettingError, match="remove memory://walks/one.zarr.lock"):
            other.open()
    with closing(replay_of(path)) as replay:
        assert [int(frames.images[0, 0, 0, 0]) for frames in replay] == list(range(20))
    with pytest.raises(SettingError, match="stream.path=nonsense://walks can't be reached"):
        replay_of("nonsense://walks")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["source=nowhere"], "source=nowhere isn't there"),
        (["source={0}/empty"], "holds no pictures or videos"),
        (["source={0}/wide"], "shows 12x8, and networks need squares; try size=8"),
        (["source={0}/x.npz", "episode=object"], "has no array object; known: images, labels, angle"),
        (["source={0}/torn"], "can't be read, torn.png"),
        (["source={0}/torn.mp4"], "can't be read as a video"),
        (["source={0}/cut.mp4"], "cut.mp4 can't be read as a video"),
        (["source={0}/x.npz", "episode=labels", "angle=angle"], "has angle of shape (15,), and not a number for each"),
        (["source={0}/none.avi"], "none.avi is a video with no frames; remove it"),
        (["source={0}", "dataset=CIFAR10"], "holds no CIFAR10"),
        (["source={0}", "dataset=CIFAR11"], "dataset=CIFAR11 is unknown; did you mean CIFAR10?"),
        (["source={0}/far", "names=(?P<object>.)(?P<angle>.+)"], "finds angle=ar in far.png, which is no number"),
        (["source={0}/x.npz", "sise=3"], "did you mean size?"),
        (["source="], "source is not given"),
        (["source={0}/x.npz", "size=-1"], "size=-1"),
        (["source={0}/x.npz", "names=frames"], "names=frames is for files of pictures or films, and source="),
        (["source={0}/wide", "episode=labels"], "episode=labels is for arrays, and source="),
        (["source={0}/wide", "names=turntabel"], "names=turntabel is unknown; did you mean turntable?"),
        (["source={0}/wide", "names=("], "names=( is no regular expression"),
        (["source={0}/wide", "fps=10"], "has names that hold no times, which fps=10 needs"),
        (["source={0}/x.npz", "fps=10"], "has no times, which fps=10 needs; name them by time="),
        (["source={0}/t.npz", "fps=1000"], "fps=1000 makes 86,400,000 frames of 15 pictures; try fewer"),
        (["source={0}/wide", "every=2"], "has no films, of which every=2 is to be taken"),
        (["source={0}/wide", "fps=nan"], "fps=nan is out of range"),
        (["source={0}/wide", "fps=2", "every=3"], "every=3 and fps=2.0 exclude one another"),
        (
            ["source={0}/hidden"],
            "holds no pictures or videos, but 1 hidden or of the system (.a.png), 1 .heic (b.heic)",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys, arguments, line):
    for folder in ("empty", "wide", "torn", "far"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "far" / "far.png")
    Image.new("RGB", (12, 8)).save(tmp_path / "wide" / "a.png")
    (tmp_path / "torn" / "torn.png").write_bytes(b"\x89PNG")
    (tmp_path / "torn.mp4").write_bytes(b"nothing")
    with av.open(str(tmp_path / "none.avi"), "w") as film:
        film.add_stream("mpeg4", 25).width = 16
        film.streams[0].height = 16
        film.start_encoding()
    with av.open(str(tmp_path / "cut.mp4"), "w") as film:
        film.add_stream("mpeg4", 25).width = film.streams[0].height = 16
        film.mux(film.streams[0].encode(av.VideoFrame(16, 16, "yuv420p")))
        film.mux(film.streams[0].encode())
    whole = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: whole.index(b"stsd")])  # before it is said how frames are coded
    images, labels, angles = turntable()
    np.savez(tmp_path / "x.npz", images=images, labels=labels, angle=angles * np.nan)
    np.savez(tmp_path / "t.npz", images=images, time=np.linspace(0, 86_400, len(images)))
    picture(tmp_path / "hidden" / ".a.png")
    (tmp_path / "hidden" / "b.heic").write_bytes(b"phone")
    monkeypatch.setattr(
        "sys.argv", ["importing", *(one.format(tmp_path) for one in arguments), f"path={tmp_path}/new.zarr"]
    )
    with pytest.raises(SystemExit) as left:
        importing.main()
    message = capsys.readouterr().err
    assert left.value.code == 2
    assert line in message
    assert message.count("\n") == 1
    assert not (tmp_path / "new.zarr").exists()
