"""Data sets as others keep them: LeRobot's, WebDataset's, and folders of folders."""

import io
import json
import tarfile

import av
import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from envs.errors import SettingError
from streams.importing import import_stream
from streams.media.source import ImportSettings
from streams.recording.reader import Recording


def imported(tmp_path, source, **settings):
    path = tmp_path / "out.zarr"
    assert import_stream(ImportSettings(source=str(source), path=str(path), **settings)) == 0
    recording = Recording(str(path))
    names = ["images", "episode", "factors/category"]
    arrays = recording.gather(np.arange(recording.committed), np.zeros(recording.committed, int), names=names)
    return recording, *(arrays[name] for name in names)


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def film(path, shade: int, frames: int) -> None:
    film_of(path, [shade] * frames)


def film_of(path, shades: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        for shade in shades:
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def robot(tmp_path):
    """Three episodes of two tasks, seen by two cameras."""
    where, cameras = tmp_path / "robot", ("observation.images.top", "observation.images.wrist")
    pattern = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    for number in range(3):
        for camera, name in enumerate(cameras):
            place = pattern.format(episode_chunk=number // 2, video_key=name, episode_index=number)
            film(where / place, 40 * number + 100 * camera, 4 + number)
    features = {name: {"dtype": "video"} for name in cameras} | {"action": {"dtype": "float32"}}
    info = {"codebase_version": "v2.1", "video_path": pattern, "total_episodes": 3, "chunks_size": 2}
    (where / "meta").mkdir()
    (where / "meta" / "info.json").write_text(json.dumps(info | {"features": features}))
    asked = ("pick", "place", "pick")
    lines = [json.dumps({"episode_index": number, "tasks": [task]}) for number, task in enumerate(asked)]
    (where / "meta" / "episodes.jsonl").write_text("\n".join(lines))
    return where


def test_a_lerobot_episode_is_a_film_and_what_was_asked_its_category(robot, tmp_path):
    recording, images, episode, category = imported(tmp_path, robot, camera="observation.images.top")
    assert np.bincount(episode).tolist() == [4, 5, 6]
    assert [category[episode == number][0] for number in range(3)] == [0, 1, 0]
    assert recording.facts["source"]["categories"] == ["pick", "place"]
    shades = [images[episode == number].mean() for number in range(3)]
    assert shades == pytest.approx([0, 40, 80], abs=4)


def test_of_several_cameras_one_is_asked_for(robot, tmp_path):
    with pytest.raises(SettingError, match=r"cameras observation.images.top, .*wrist; say which by camera="):
        imported(tmp_path, robot)
    with pytest.raises(SettingError, match="camera=observation.images.tip.*top"):
        imported(tmp_path, robot, camera="observation.images.tip")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"codebase_version": "v1.6"}, "format v1.6; v2.0, v2.1 and v3.0 are read"),
        ({"total_episodes": 4}, r"has 4 episodes, and videos/chunk-001/.*episode_000003.mp4 is not there"),
        ({"total_episodes": 10**12}, "mend meta/info.json"),
        ({"video_path": "../../{video_key}/{episode_index:06d}.mp4"}, "is not there"),
        ({"video_path": "{episode_index.__class__}"}, "without films"),
        ({"video_path": "{episode_index:0999999999d}"}, "without films"),
        ({"features": {}}, "without films"),
    ],
)
def test_a_lerobot_data_set_that_cannot_be_read_is_one_line(robot, tmp_path, changed, message):
    file = robot / "meta" / "info.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    with pytest.raises(SettingError, match=message) as raised:
        imported(tmp_path, robot, camera="observation.images.top")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("source=")


CAMERA = "observation.images.top"


@pytest.fixture
def robot_3(tmp_path):
    """Four episodes of two tasks in two films, the second and third in one, as format 3 keeps them."""
    where = tmp_path / "robot3"
    pattern = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    films = {0: [10] * 4, 1: [50] * 30 + [90] * 6 + [130] * 7}
    for number, shades in films.items():
        film_of(where / pattern.format(video_key=CAMERA, chunk_index=0, file_index=number), shades)
    info = {"codebase_version": "v3.0", "video_path": pattern, "total_episodes": 4, "chunks_size": 1000, "fps": 10}
    (where / "meta" / "episodes" / "chunk-000").mkdir(parents=True)
    (where / "meta" / "info.json").write_text(json.dumps(info | {"features": {CAMERA: {"dtype": "video"}}}))
    write_episodes(where, [(0, 0.0, 0.4), (1, 0.0, 3.0), (1, 3.0, 3.6), (1, 3.6, 4.3)])
    return where


def write_episodes(where, rows: list[tuple[int, float, float]]) -> None:
    files, begins, ends = zip(*rows, strict=True)
    columns = {"chunk_index": [0] * len(rows), "file_index": files, "from_timestamp": begins, "to_timestamp": ends}
    table = {"episode_index": range(len(rows)), "tasks": [["pick"], ["place"], ["pick"], []][: len(rows)]}
    table |= {f"videos/{CAMERA}/{name}": values for name, values in columns.items()}
    file = where / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    parquet.write_table(pyarrow.table({name: list(values) for name, values in table.items()}), file)


def test_several_lerobot_episodes_lie_in_one_film(robot_3, tmp_path):
    recording, images, episode, category = imported(tmp_path, robot_3)
    assert np.bincount(episode).tolist() == [4, 30, 6, 7]
    assert recording.facts["source"]["categories"] == ["pick", "place", "robot3"]
    assert [category[episode == number][0] for number in range(4)] == [0, 1, 0, 2]
    for number, shade in enumerate((10, 50, 90, 130)):  # no frame of a neighbour
        assert images[episode == number].mean(axis=(1, 2, 3)) == pytest.approx(shade, abs=4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 0.0, 0.4)] * 3, "has 4 episodes by meta/info.json, and others by meta/episodes"),
        ([(0, 0.0, 0.4)] * 3 + [(2, 0, 1)], "file-002.mp4 is not there"),
        ([(0, 0.0, 0.4)] * 3 + [(1, 2.0, 1.0)], "shows episode 3 from 2.0 to 1.0 s"),
        ([(0, 0.0, 0.4)] * 3 + [(1, 90.0, 91.0)], "no frames from 90 to 91 s, where an episode should be"),
    ],
)
def test_lerobot_episodes_that_are_nowhere_are_one_line(robot_3, tmp_path, rows, message):
    write_episodes(robot_3, rows)
    with pytest.raises(SettingError, match=message):
        imported(tmp_path, robot_3)


def test_a_lerobot_table_of_episodes_that_is_torn_is_one_line(robot_3, tmp_path):
    file = robot_3 / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(SettingError, match="file-000.parquet, which does not say where episodes are"):
        imported(tmp_path, robot_3)


def shard(path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_pictures_of_shards_have_the_labels_beside_them(tmp_path):
    (tmp_path / "shards").mkdir()
    shard(tmp_path / "shards" / "a-10.tar", {"3.png": png(30), "3.cls": b"1"})
    shard(tmp_path / "shards" / "a-2.tar", {"x/1.png": png(10), "x/1.cls": b"0\n", "x/2.cls": b"7", "x/2.png": png(20)})
    _, images, episode, category = imported(tmp_path, tmp_path / "shards")
    assert images[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert category.tolist() == [0, 7, 1]
    assert episode.tolist() == [0, 1, 2]


def test_neighbours_whose_json_names_one_episode_are_one(tmp_path):
    told = [{"label": 2, "episode": 5}, {"label": 2, "episode": 5}, {"label": 1, "episode": 6}, {"label": 1}]
    members = {}
    for number, of in enumerate(told):
        members |= {f"{number}.png": png(number), f"{number}.json": json.dumps(of).encode()}
    shard(tmp_path / "one.tar", members)
    _, _, episode, category = imported(tmp_path, tmp_path / "one.tar")
    assert episode.tolist() == [0, 0, 1, 2]
    assert category.tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"1.png": png(1)[:40]}, "a picture that can't be read, one.tar/1; mend or remove it, or set skip_broken=true"),
        ({"1.png": png(1), "1.cls": b"cat"}, "one.tar/1, whose .json or .cls can't be read"),
        ({"1.png": png(1), "1.json": b'{"label": -4}'}, "label is -4; store 0, 1, 2"),
    ],
)
def test_a_shard_that_cannot_be_read_is_one_line(tmp_path, members, message):
    shard(tmp_path / "one.tar", members)
    with pytest.raises(SettingError, match=message):
        imported(tmp_path, tmp_path / "one.tar")


def test_a_torn_shard_is_named_and_torn_pictures_are_passed_over_on_request(tmp_path):
    shard(tmp_path / "one.tar", {"1.png": png(1), "2.png": png(2)[:40], "3.png": png(3)})
    _, images, *_ = imported(tmp_path, tmp_path / "one.tar", skip_broken=True)
    assert images[:, 0, 0, 0].tolist() == [1, 3]
    whole = (tmp_path / "one.tar").read_bytes()
    (tmp_path / "torn.tar").write_bytes(whole[:700])
    with pytest.raises(SettingError, match=r"torn.tar, which is no whole .tar"):
        import_stream(ImportSettings(source=str(tmp_path / "torn.tar"), path=str(tmp_path / "t.zarr")))


@pytest.mark.parametrize(
    ("category", "names"),
    [("path", ["s1/o1", "s1/o2", "s2/o1", "s2/o2"]), ("top", ["s1", "s2"]), ("last", ["o1", "o2"])],
)
def test_the_outer_or_the_inner_folders_are_the_categories(tmp_path, capsys, category, names):
    for session in ("s1", "s2"):
        for thing in ("o1", "o2"):
            (tmp_path / "core" / session / thing).mkdir(parents=True)
            for number in range(3):
                (tmp_path / "core" / session / thing / f"C_{session[1]}_{thing[1]}_{number:03}.png").write_bytes(
                    png(number)
                )
    recording, _, episode, _ = imported(tmp_path, tmp_path / "core", category=category)
    assert recording.facts["source"]["categories"] == names
    assert np.bincount(episode).tolist() == [3, 3, 3, 3]
    assert ("category=top or category=last" in capsys.readouterr().out) == (category == "path")
