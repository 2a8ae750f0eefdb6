"""LeRobot's data sets (format 2): a film for each episode and camera, and what was asked of the robot in each."""

import json
import re
from pathlib import Path
from typing import Any

from envs.errors import SettingError, unknown

INFO = "meta/info.json"
EPISODES = "meta/episodes.jsonl"
PATTERN = re.compile(r"(?:[^{}]|\{(?:episode_chunk|episode_index)(?::0\dd)?\}|\{video_key\})+")
MOST_EPISODES = 10_000_000
LINE_BYTES = 1 << 20


def is_lerobot(where: Path) -> bool:
    """Whether a folder is such a data set."""
    return where.is_dir() and (where / INFO).is_file()


def films_of(where: Path, camera: str) -> tuple[list[str], list[str]]:
    """The film of each episode, as one camera saw it, and what was asked in it.

    Raises SettingError, whose message the caller completes: another format, a film that is missing, no such camera.
    """
    info = _read(where / INFO)
    version, pattern = str(info.get("codebase_version", "")), info.get("video_path")
    if not version.startswith("v2"):
        raise SettingError(f"is a LeRobot data set of format {version or 'unknown'}, and v2.0 and v2.1 are read")
    features = info.get("features")
    cameras = [name for name, of in (features or {}).items() if isinstance(of, dict) and of.get("dtype") == "video"]
    if not cameras or not isinstance(pattern, str) or not PATTERN.fullmatch(pattern):
        raise SettingError("is a LeRobot data set without films; pictures in .parquet files are not read")
    if camera and camera not in cameras:
        raise unknown("camera", camera, cameras)
    if not camera and len(cameras) > 1:
        raise SettingError(f"has the cameras {', '.join(cameras)}; say which by camera=")
    count, size = info.get("total_episodes"), info.get("chunks_size", 1000)
    if not (isinstance(count, int) and isinstance(size, int) and 0 < count <= MOST_EPISODES and size > 0):
        raise SettingError(f"says that it has {count} episodes in chunks of {size}; mend {INFO}")
    films = [
        pattern.format(episode_chunk=number // size, video_key=camera or cameras[0], episode_index=number)
        for number in range(count)
    ]
    paths = [(where / film).resolve() for film in films]
    outside = [film for film, path in zip(films, paths, strict=True) if not path.is_relative_to(where.resolve())]
    absent = outside or [film for film, path in zip(films, paths, strict=True) if not path.is_file()]
    if absent:
        raise SettingError(f"has {count} episodes, and {absent[0]} is not there; mend {INFO}, or fetch the rest")
    return [str(path) for path in paths], _tasks(where, count)


def _tasks(where: Path, count: int) -> list[str]:
    """What was asked in each episode; the same of all where that is not written down."""
    tasks = [where.name] * count
    if (where / EPISODES).is_file():
        with (where / EPISODES).open(encoding="utf-8", errors="replace") as file:
            for line in iter(lambda: file.readline(LINE_BYTES), ""):
                episode = _parsed(line, EPISODES)
                number, asked = episode.get("episode_index"), episode.get("tasks")
                if isinstance(number, int) and 0 <= number < count and isinstance(asked, list) and asked:
                    tasks[number] = str(asked[0])
    return tasks


def _read(file: Path) -> dict[str, Any]:
    return _parsed(file.read_text(encoding="utf-8", errors="replace"), INFO)


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise SettingError(f"holds {name}, which is no JSON object; mend it")
    return parsed
