"""What was damaged is there again to the bit, or is cut off or masked as the user chose; nothing is believed."""

import json
import shutil
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from envs.errors import SettingError
from streams.check import check, examine
from streams.importing import ImportSettings, import_stream
from streams.record import record
from streams.recording.checksum import record_checksum
from streams.recording.reader import COPY, Recording
from tests.helpers.recordings import SMALL, assert_is_the_walk, changed, files, recorded, replay_of


@pytest.fixture
def walk(tmp_path):
    return recorded(tmp_path / "walk.zarr", 700 * 3)


def shard(walk, name, number):
    return next(file for file in (walk / name / "c" / str(number)).rglob("*") if file.is_file())


def flip(file, place=40):
    data = bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(data)


def exchange(one, other):
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)


def of_another_seed(walk):
    other = walk.parent / "other.zarr"
    record([*SMALL, "seed=9", f"record.path={other}", f"record.frames={700 * 3}"])
    return other


DAMAGE = {
    "a flipped bit": lambda w: flip(shard(w, "images", 1)),
    "a flipped bit in the seal": lambda w: flip(shard(w, "episode", 0), -60),
    "a cut": lambda w: shard(w, "images", 0).write_bytes(shard(w, "images", 0).read_bytes()[:-50]),
    "zeros": lambda w: shard(w, "factors/age", 1).write_bytes(bytes(3000)),
    "an empty file": lambda w: shard(w, "episode", 2).write_bytes(b""),
    "no file": lambda w: shard(w, "images", 2).unlink(),
    "two files exchanged": lambda w: exchange(shard(w, "images", 0), shard(w, "images", 1)),
    "one copied over another": lambda w: shutil.copy(shard(w, "episode", 0), shard(w, "episode", 1)),
    "one of another array": lambda w: shutil.copy(shard(w, "episode", 1), shard(w, "factors/category", 1)),
    "one of another recording": lambda w: shutil.copy(shard(of_another_seed(w), "images", 1), shard(w, "images", 1)),
    "a folder gone": lambda w: shutil.rmtree(w / "factors" / "age"),
    "a document of another array": lambda w: shutil.copy(w / "episode" / "zarr.json", w / "images" / "zarr.json"),
    "a flipped commit record": lambda w: flip(w / "zarr.json", 200),
    "no commit record": lambda w: (w / "zarr.json").unlink(),
    "another's commit record": lambda w: shutil.copy(of_another_seed(w) / "zarr.json", w / "zarr.json"),
    "a flipped copy of it": lambda w: flip(w / COPY, 200),
}


def named(walk):
    """What is said of the damage; nothing where the recording is called sound."""
    try:
        return "".join(examine(str(walk))["damaged"])
    except SettingError as error:
        return str(error)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_recording_is_named_damaged_and_mended_to_the_bit(walk, damage, capsys):
    before = files(walk)
    DAMAGE[damage](walk)
    assert str(walk) in named(walk)
    assert check(str(walk), ["repair=true"]) == 0
    assert files(walk) == before
    assert_is_the_walk(walk, 700)


@pytest.mark.parametrize("damage", [name for name in DAMAGE if "commit" not in name and "copy" not in name])
def test_a_damaged_recording_is_not_gone_on_with(walk, damage):
    DAMAGE[damage](walk)
    before = files(walk)
    with pytest.raises(SettingError, match="repair=true mends it|damaged|is described otherwise|is no array"):
        record([*SMALL, f"record.path={walk}", f"record.frames={800 * 3}"])
    assert files(walk) == before


def test_an_older_version_of_the_last_file_is_named(walk):
    old = shard(walk, "images", 2).read_bytes()
    record([*SMALL, f"record.path={walk}", f"record.frames={800 * 3}"])
    shard(walk, "images", 2).write_bytes(old)
    assert "it is an older version" in examine(str(walk))["damaged"][0]


def test_every_flipped_bit_of_the_commit_record_is_named(walk):
    data = (walk / "zarr.json").read_bytes()
    facts = Recording(str(walk)).facts
    for place in np.random.default_rng(0).choice(8 * len(data), 600, replace=False):
        hurt = bytearray(data)
        hurt[place // 8] ^= 1 << place % 8
        (walk / "zarr.json").write_bytes(hurt)
        line = named(walk).strip()
        assert line.count("\n") == 0
        assert line or Recording(str(walk)).facts == facts


def test_more_steps_than_there_can_be_are_refused_at_once(walk):
    for name in Recording(str(walk)).names:
        changed(walk, name, lambda document: document["shape"].__setitem__(0, 10**15))
    changed(walk, "", lambda document: document["attributes"].update(committed=10**15))
    with pytest.raises(SettingError, match="says committed=1000000000000000, and has files of"):
        examine(str(walk))


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"cup{number // 20}__{number % 20}.png")
    return tmp_path / "pictures"


def imported(tmp_path, pictures):
    path = tmp_path / "cups.zarr"
    assert import_stream(ImportSettings(source=str(pictures), path=str(path))) == 0
    return path


def test_an_import_is_mended_from_its_source(tmp_path, pictures):
    path = imported(tmp_path, pictures)
    before = files(path)
    flip(shard(path, "images", 0))
    assert check(str(path), ["repair=true"]) == 0
    assert files(path) == before


def test_an_import_is_mended_from_where_its_source_is_now(tmp_path, pictures, capsys):
    path = imported(tmp_path, pictures)
    before = files(path)
    shard(path, "images", 0).unlink()
    pictures.rename(tmp_path / "moved")
    assert check(str(path), ["repair=true"]) == 1
    assert "can't be made again" in capsys.readouterr().out
    assert check(str(path), ["repair=true", f"source={tmp_path / 'moved'}"]) == 0
    assert files(path) == before


def test_an_import_of_a_moving_picture_and_of_torn_files_is_mended_too(tmp_path, pictures):
    frames = [Image.new("RGB", (16, 16), (60 * number, 0, 0)) for number in range(4)]
    frames[0].save(pictures / "dance.gif", save_all=True, append_images=frames[1:])
    (pictures / "cup0__3.png").write_bytes(b"torn")
    path = tmp_path / "cups.zarr"
    assert import_stream(ImportSettings(source=str(pictures), path=str(path), skip_broken=True)) == 0
    assert Recording(str(path)).committed == 39 + 4
    before = files(path)
    shard(path, "images", 0).unlink()
    flip(shard(path, "factors/time", 0))
    assert check(str(path), ["repair=true"]) == 0
    assert files(path) == before


def test_a_source_that_shows_other_pictures_now_mends_nothing(tmp_path, pictures, capsys):
    path = imported(tmp_path, pictures)
    flip(shard(path, "episode", 0))
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(pictures / "cup0__3.png")
    before = files(path)
    assert check(str(path), ["repair=true"]) == 1
    assert "comes out otherwise now at steps 0 to 15" in capsys.readouterr().out.replace("\n", " ")
    assert files(path) == before


def unmendable(tmp_path, pictures):
    path = imported(tmp_path, pictures)
    flip(shard(path, "images", 0), 14_000)  # of the second of three chunks
    shutil.rmtree(pictures)
    return path


def test_what_cannot_be_mended_is_cut_off_where_that_is_asked_for(tmp_path, pictures, capsys):
    path = unmendable(tmp_path, pictures)
    assert check(str(path), ["repair=true", "otherwise=cut"]) == 0
    assert "the last 24 steps are cut off" in capsys.readouterr().out
    assert Recording(str(path)).committed == 16


def test_what_cannot_be_mended_is_masked_where_that_is_asked_for(tmp_path, pictures, capsys):
    path = unmendable(tmp_path, pictures)
    assert check(str(path), ["repair=true", "otherwise=mask"]) == 0
    assert "16 frames are masked" in capsys.readouterr().out
    recording = Recording(str(path))
    episode, images = recording.span(0, 40, "episode")[:, 0], recording.span(0, 40, "images")[:, 0]
    assert len(np.unique(episode[16:32])) == 16
    assert (images[16:32] == 0).all()
    assert not np.isin(episode[16:32], np.r_[episode[:16], episode[32:]]).any()
    assert images[:16].std() > 0
    assert images[32:].std() > 0
    assert examine(str(path))["masked"] == [[16, 32, 0, 1]]


def test_what_no_source_and_no_choice_can_mend_stays_as_it_is(tmp_path, pictures, capsys):
    path = unmendable(tmp_path, pictures)
    before = files(path)
    assert check(str(path), ["repair=true"]) == 1
    assert "otherwise=cut ends the recording there" in capsys.readouterr().out.replace("\n", " ")
    assert files(path) == before


def test_a_commit_record_lost_twice_is_one_line(walk):
    flip(walk / "zarr.json", 200)
    flip(walk / COPY, 200)
    with pytest.raises(SettingError, match="and its copy .* is damaged too"):
        check(str(walk), ["repair=true"])


def test_a_checksum_is_over_all_that_is_said(walk):
    facts = json.loads((walk / "zarr.json").read_text())["attributes"]
    assert facts["checksum"] == record_checksum(facts)
    assert facts["checksum"] != record_checksum(facts | {"committed": 400})


def test_another_recording_of_the_same_shape_is_not_gone_on_with(walk):
    other = of_another_seed(walk)
    with closing(replay_of(walk)) as replay:
        next(replay)
        state = replay.state_dict()
    with closing(replay_of(other)) as replay, pytest.raises(SettingError, match="is another recording"):
        replay.load_state_dict(state)


def test_another_recordings_commit_record_mends_nothing(walk):
    other = of_another_seed(walk)
    for name in ("zarr.json", COPY):
        shutil.copy(other / name, walk / name)
    before = files(walk)
    with pytest.raises(SettingError, match="has the commit record of another recording"):
        check(str(walk), ["repair=true"])
    assert files(walk) == before
