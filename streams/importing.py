"""Pictures and videos become a recording: python -m streams.importing

python -m streams.importing source=turntable path=coil.zarr               # obj1__0.png, obj1__5.png, ...
python -m streams.importing source=coil100.npz path=coil.zarr episode=labels angle=angle
python -m streams.importing source=walks path=walks.zarr size=64           # a folder an episode, or videos
python -m streams.importing source=~/data dataset=CIFAR10 path=cifar.zarr  # each picture an episode by itself

What follows each other in the source does so in the recording, one world's frames one after another. To learn from it:

python -m learners.online stream=replay stream.path=coil.zarr stream.order=episodes stream.worlds=64 stream.repeat=true
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from envs.errors import SettingError
from envs.images.pictures import SUFFIXES, is_zarr, load_pictures, numbers
from envs.settings import read
from streams.process.errors import guarded
from streams.process.progress import Bar
from streams.process.signals import Stop
from streams.recording.image_files import TOGETHER, check_sizes, decoded, files_of, stacked, video_frames
from streams.recording.storage import open_folder
from streams.recording.writer import Writer, check_free
from streams.sources import ImportedSettings

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
TURNTABLE = r"(?P<object>.+?)_*(?P<angle>\d+(\.\d+)?)"  # obj12__345


@dataclass
class ImportSettings:
    """What is imported, and where to."""

    source: str | None = None  # a folder of pictures or videos, a video, a .npy, .npz or Zarr, a torchvision root
    path: str | None = None  # of the recording: a new folder, or any fsspec URL
    dataset: str = ""  # the torchvision data set's class, such as CIFAR10; nothing is downloaded
    size: int = 0  # pixels along an edge: frames are resized and cut to the middle; 0 leaves them as they are
    episode: str = ""  # name of the array that says which frames are one episode
    angle: str = ""  # name of the array that says in which order they come
    names: str = TURNTABLE  # regular expression of file names that carry object and angle
    every: int = 1  # of a video's frames, so many are one step


class Shown(NamedTuple):
    """Frames on their way: TOGETHER of them, fewer of large pictures, or the last."""

    images: np.ndarray  # (s, H, W, 3) uint8
    episode: Sequence[int]  # (s,) of each
    category: Sequence[int]
    angle: Sequence[float]  # degrees, or whatever the source counts in; a video's frame number


def frames_of(told: ImportSettings) -> Iterator[Shown]:
    """The frames of a source, fitted, episode by episode, read as they are asked for.

    Raises:
        SettingError: there are none, or they can't be read.
    """
    where = Path(told.source).expanduser()
    if told.dataset or not where.is_dir() or is_zarr(where):
        return _videos([str(where)], told) if where.suffix.lower() in VIDEOS else _arrays(told)
    videos = files_of(where, VIDEOS)
    if videos and (beside := files_of(where, SUFFIXES)):
        print(f"source={where}: of {len(videos)} videos and {len(beside)} pictures, the videos are imported")  # noqa: T201
    return _videos(videos, told) if videos else _folder(where, told)


def import_stream(told: ImportSettings) -> int:
    """Writes the recording that is asked for; the exit status."""
    for name in ("source", "path"):
        if not getattr(told, name):
            raise SettingError(f"{name} is not given; write source=PICTURES path=NEW.zarr")
    if told.size < 0 or told.every < 1:
        raise SettingError(f"size={told.size} and every={told.every} must be 0 or more, and 1 or more")
    check_free(told.path, setting="path")
    shown = frames_of(told)
    first = next(shown, None)
    if first is None:
        raise SettingError(f"source={told.source} holds no frames; give pictures or videos")
    height, width = first.images.shape[1:3]
    if height != width:
        raise SettingError(
            f"source={told.source} shows {width}x{height}, and networks need squares; try size={min(height, width)}"
        )
    env = asdict(ImportedSettings(size=height))
    writer = Writer(told.path, {"env": env, "seed": 0, "gaze": "fixed"}, setting="path")
    try:
        writer.open(fresh=True)
        with Stop("frame") as stop:
            _write(first, shown, told, writer, env, stop)
    except SettingError as error:
        writer.close()  # what is being written is there then
        if "zarr.json" not in open_folder(told.path).names(""):
            raise
        raise SettingError(f"{error}; {told.path} ends before that: remove it, and import again") from None
    finally:
        writer.close()
    print(f"{told.path}: {writer.step:,} frames, the longest episode {env['episode_length']}")  # noqa: T201
    if stop:
        print("stopped: the recording ends there")  # noqa: T201
        return 128 + stop.signal
    print(f"try next: python -m streams.view {told.path}")  # noqa: T201
    return 0


def _write(
    first: Shown, shown: Iterator[Shown], told: ImportSettings, writer: Writer, env: dict[str, Any], stop: Stop
) -> None:
    """Writes all that is shown, or what came before a stop; `env` learns how long the longest episode is."""
    before, shown = (-1, 0), chain([first], shown)
    with Bar(Console(), done=0, total=0) as bar:
        while not stop and (some := next(shown, None)):
            with _of(told.source):
                check_sizes(first.images, some.images)
            ages = _ages(some.episode, before)
            before, env["episode_length"] = (some.episode[-1], ages[-1]), max(env["episode_length"], max(ages) + 1)
            writer.extend(_block(some, ages))
            if writer.full:
                writer.commit(wait=False)
                bar.show(writer.step)
        writer.commit()


def _ages(episodes: Sequence[int], before: tuple[int, int]) -> list[int]:
    """How many frames of its episode came before each, after one of this episode and age."""
    ages = []
    for episode in episodes:
        before = episode, before[1] + 1 if episode == before[0] else 0
        ages.append(before[1])
    return ages


def _block(some: Shown, ages: list[int]) -> dict[str, Tensor]:
    """Frames that follow each other, as the writer takes them: (s, 1, ...)."""
    columns = {"images": some.images, "episode": some.episode, "factors/category": some.category}
    columns |= {"factors/age": ages, "factors/angle": np.array(some.angle, np.float32)}
    return {name: torch.as_tensor(column)[:, None] for name, column in columns.items()}


def _arrays(told: ImportSettings) -> Iterator[Shown]:
    """Pictures of an array file or data set; in the order of episode and angle, where there are such arrays."""
    found = load_pictures(told.source, told.dataset, setting="source")
    count = len(found.images)
    episode = _column(told, told.episode, count) if told.episode else np.arange(count)
    angle = _column(told, told.angle, count) if told.angle else np.zeros(count)
    episode = np.unique(episode, return_inverse=True)[1]
    order = np.lexsort((np.arange(count), angle, episode)) if told.episode else np.arange(count)
    for at in np.split(order, range(TOGETHER, count, TOGETHER)):
        yield Shown(stacked(found.images[at], size=told.size), episode[at], found.labels[at], angle[at])


def _column(told: ImportSettings, name: str, count: int) -> np.ndarray:
    """A numeric array of this name beside the pictures."""
    where = Path(told.source).expanduser()
    if where.suffix == ".npz":
        with np.load(where, allow_pickle=False) as arrays:
            known, found = arrays.files, arrays[name] if name in arrays.files else None
    else:
        import zarr

        node = zarr.open(where, mode="r") if is_zarr(where) else None
        known = dict(node.arrays()) if isinstance(node, zarr.Group) else {}
        with _of(told.source):
            found = numbers(known[name])[:] if name in known else None
    if found is None:
        raise SettingError(f"source={told.source} has no array {name}; known: {', '.join(known) or 'none'}")
    if found.shape != (count,) or found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise SettingError(f"source={told.source} has {name} of shape {found.shape}, and not a number for each picture")
    return found


def _folder(where: Path, told: ImportSettings) -> Iterator[Shown]:
    """Pictures in folders: an episode for each object that the names tell of, or else for each folder."""
    files = files_of(where, SUFFIXES)
    if not files:
        raise SettingError(f"source={where} holds no pictures or videos; known are {' '.join((*SUFFIXES, *VIDEOS))}")
    folders, owner, angle = _told_by_names(files, told)
    folder_of, owner_of = _numbered(folders), _numbered(owner)
    category = folder_of if len(set(folder_of)) > 1 else owner_of
    order = sorted(range(len(files)), key=lambda at: (owner_of[at], angle[at], at))
    first = 0
    with _of(told.source):
        for images in decoded([files[at] for at in order], size=told.size):
            some = order[first : first + len(images)]
            yield Shown(images, *([of[at] for at in some] for of in (owner_of, category, angle)))
            first += len(images)


def _told_by_names(files: list[str], told: ImportSettings) -> tuple[list[str], list, list[float]]:
    """Of each file its folder, whose it is, and its angle: 0 throughout where names do not tell of object and angle."""
    try:
        pattern = re.compile(told.names)
    except re.error as error:
        raise SettingError(f"names={told.names} is no regular expression ({error})") from None
    folders, names = ([file.rpartition("/")[part] for file in files] for part in (0, 2))
    found = [pattern.fullmatch(name.rpartition(".")[0]) for name in names]
    if not all(found) or not {"object", "angle"} <= pattern.groupindex.keys():
        return folders, folders, [0.0] * len(files)
    angle = [_number(one["angle"], name, told) for one, name in zip(found, names, strict=True)]
    return folders, [(folder, one["object"]) for folder, one in zip(folders, found, strict=True)], angle


@contextmanager
def _of(source: str) -> Iterator[None]:
    """What is wrong with pictures is said of their source."""
    try:
        yield
    except SettingError as error:
        raise SettingError(f"source={source} {error}") from None


def _number(angle: str | None, name: str, told: ImportSettings) -> float:
    try:
        return float(angle)
    except (TypeError, ValueError):
        raise SettingError(
            f"names={told.names} finds angle={angle} in {name}, which is no number; "
            "let the group angle match digits, or set names=.* for the order of the names"
        ) from None


def _numbered(things: Sequence) -> list[int]:
    """The number of each among those that differ, in the order in which they first appear."""
    known = {thing: number for number, thing in enumerate(dict.fromkeys(things))}
    return [known[thing] for thing in things]


def _videos(files: list[str], told: ImportSettings) -> Iterator[Shown]:
    """Videos, each an episode; its folder is its category, where there are several."""
    frames = _frames_of_videos(files, told)
    while some := list(islice(frames, TOGETHER)):
        images, *of = zip(*some, strict=True)
        with _of(told.source):
            yield Shown(stacked(images, size=told.size), *of)


def _frames_of_videos(files: list[str], told: ImportSettings) -> Iterator[tuple[np.ndarray, int, int, float]]:
    """Each frame's image, episode, category and number."""
    categories = _numbered([file.rpartition("/")[0] for file in files])
    for episode, (file, category) in enumerate(zip(files, categories, strict=True)):
        with _of(file):
            for number, image in video_frames(file, every=told.every):
                yield image, episode, category, float(number)


def main() -> None:
    """Runs the command on the process's arguments."""
    if {"-h", "--help"} & set(sys.argv[1:]) or not sys.argv[1:]:
        print(__doc__)  # noqa: T201
        return
    stopped = "what is committed is kept"
    sys.exit(guarded(lambda: import_stream(read(ImportSettings, sys.argv[1:])), place="path", stopped=stopped))


if __name__ == "__main__":
    main()
