"""What is imported is what was there, neighbours beside neighbours; and what can't be is one line."""

from contextlib import closing

import av
import numpy as np
import pytest
import torch
import xarray
import zarr
from PIL import Image

from envs.errors import SettingError
from envs.settings import read as read_settings
from learners.online import PROGRAM
from runs.config.composing import read
from runs.launch.launch import start
from runs.launch.validate import check
from runs.store.metrics import read as read_metrics
from streams import importing, view
from streams.importing import ImportSettings, import_stream
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
