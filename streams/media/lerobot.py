"""LeRobot's data sets: films of what cameras saw, and what was asked of the robot in each episode.

Format 2 has a film for each episode and camera; format 3 puts many episodes into a film, and keeps in Parquet files
where each begins and ends (https://huggingface.co/docs/lerobot, "LeRobotDataset v3.0").
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envs.errors import SettingError, unknown
from streams.media.video import Clip

INFO = "meta/info.json"
EPISODES = "meta/episodes.jsonl"
EPISODE_TABLES = "meta/episodes"  # a folder, of format 3
FIELDS = {"2": r"episode_chunk|episode_index", "3": r"chunk_index|file_index"}  # what a film's path is made of
MOST_EPISODES = 10_000_000
LINE_BYTES = 1 << 20


def is_lerobot(where: Path) -> bool:
    """Whether a folder is such a data set."""
    return where.is_dir() and (where / INFO).is_file()


def episodes_of(where: Path, camera: str) -> tuple[list[Clip], list[str]]:
    """What one camera saw in each episode, and what was asked in it.

    Raises SettingError, whose message the caller completes: another format, a film that is missing, no such camera.
    """
    info = _parsed((where / INFO).read_text(encoding="utf-8", errors="replace"), INFO)
    version, pattern = str(info.get("codebase_version", "")), info.get("video_path")
    form = version.removeprefix("v").partition(".")[0]
    if form not in FIELDS:
        raise SettingError(f"is a LeRobot data set of format {version or 'unknown'}; v2.0, v2.1 and v3.0 are read")
    fields = rf"(?:[^{{}}]|\{{(?:{FIELDS[form]})(?::0\dd)?\}}|\{{video_key\}})+"
    features = info.get("features")
    cameras = [name for name, of in (features or {}).items() if isinstance(of, dict) and of.get("dtype") == "video"]
    if not cameras or not isinstance(pattern, str) or not re.fullmatch(fields, pattern):
        raise SettingError("is a LeRobot data set without films; pictures in .parquet files are not read")
    if camera and camera not in cameras:
        raise unknown("camera", camera, cameras)
    if not camera and len(cameras) > 1:
        raise SettingError(f"has the cameras {', '.join(cameras)}; say which by camera=")
    count, size = info.get("total_episodes"), info.get("chunks_size", 1000)
    if not (isinstance(count, int) and isinstance(size, int) and 0 < count <= MOST_EPISODES and size > 0):
        raise SettingError(f"says that it has {count} episodes in chunks of {size}; mend {INFO}")
    if form == "3":
        return _clips(where, pattern, camera or cameras[0], count)
    films = [
        pattern.format(episode_chunk=number // size, video_key=camera or cameras[0], episode_index=number)
        for number in range(count)
    ]
    _check_films(where, films, count)
    return [Clip(str(where / film)) for film in films], _tasks(where, count)


def _check_films(where: Path, films: list[str], count: int) -> None:
    """Raises SettingError: one of them is missing, or lies outside the data set."""
    paths = [(where / film).resolve() for film in films]
    outside = [film for film, path in zip(films, paths, strict=True) if not path.is_relative_to(where.resolve())]
    absent = outside or [film for film, path in zip(films, paths, strict=True) if not path.is_file()]
    if absent:
        raise SettingError(f"has {count} episodes, and {absent[0]} is not there; mend {INFO}, or fetch the rest")


def _clips(where: Path, pattern: str, camera: str, count: int) -> tuple[list[Clip], list[str]]:
    """Episodes of format 3, in the order of their numbers."""
    rows = sorted(_rows(where, camera), key=lambda row: row["episode_index"])
    if [row["episode_index"] for row in rows] != list(range(count)):
        raise SettingError(f"has {count} episodes by {INFO}, and others by {EPISODE_TABLES}; fetch it again")
    films, clips, tasks = [], [], []
    for row in rows:
        film = pattern.format(video_key=camera, chunk_index=row["chunk_index"], file_index=row["file_index"])
        begin_s, end_s = row["from_timestamp"], row["to_timestamp"]
        if not 0 <= begin_s < end_s < math.inf:
            number = row["episode_index"]
            raise SettingError(f"shows episode {number} from {begin_s} to {end_s} s; mend {EPISODE_TABLES}")
        films.append(film)
        clips.append(Clip(str(where / film), begin_s, end_s))
        tasks.append(_asked(row, where.name))
    _check_films(where, list(dict.fromkeys(films)), count)
    return clips, tasks


def _rows(where: Path, camera: str) -> list[dict[str, Any]]:
    """What format 3 says of each episode: its number, its tasks, and where one camera's film shows it."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise SettingError("is of LeRobot's format 3, which needs pyarrow; pip install 'contiguity[data]'") from None
    columns = {"chunk_index": int, "file_index": int, "from_timestamp": float, "to_timestamp": float}
    rows = []
    for file in sorted((where / EPISODE_TABLES).glob("*/*.parquet")):
        name = file.relative_to(where)
        try:
            wanted = ["episode_index", "tasks", *(f"videos/{camera}/{column}" for column in columns)]
            for row in parquet.read_table(file, columns=wanted).to_pylist():
                kept = {column: kind(row[f"videos/{camera}/{column}"]) for column, kind in columns.items()}
                rows.append(kept | {"episode_index": int(row["episode_index"]), "tasks": row.get("tasks")})
        except (pyarrow.ArrowException, OSError, KeyError, TypeError, ValueError):
            raise SettingError(f"holds {name}, which does not say where episodes are; fetch it again") from None
    return rows


def _tasks(where: Path, count: int) -> list[str]:
    """What was asked in each episode of format 2; the same of all where that is not written down."""
    tasks = [where.name] * count
    if (where / EPISODES).is_file():
        with (where / EPISODES).open(encoding="utf-8", errors="replace") as file:
            for line in iter(lambda: file.readline(LINE_BYTES), ""):
                episode = _parsed(line, EPISODES)
                number = episode.get("episode_index")
                if isinstance(number, int) and 0 <= number < count:
                    tasks[number] = _asked(episode, tasks[number])
    return tasks


def _asked(episode: Mapping[str, Any], otherwise: str) -> str:
    tasks = episode.get("tasks")
    return str(tasks[0]) if isinstance(tasks, list) and tasks else otherwise


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise SettingError(f"holds {name}, which is no JSON object; mend it")
    return parsed
