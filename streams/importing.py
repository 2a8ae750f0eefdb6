"""Imports pictures and videos as a recording: python -m streams.importing

python -m streams.importing source=turntable path=coil.zarr               # obj1__0.png, obj1__5.png, ...
python -m streams.importing source=coil100.npz path=coil.zarr episode=labels angle=angle
python -m streams.importing source=walks path=walks.zarr size=64           # a folder an episode, or videos
python -m streams.importing source=~/data dataset=CIFAR10 path=cifar.zarr  # each picture an episode by itself

The frames of the source follow each other in one world. To learn from them:

python -m learners.online stream=replay stream.path=coil.zarr stream.order=episodes stream.worlds=64 stream.repeat=true
"""

import hashlib
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
from streams.recording.decoding import TOGETHER, check_sizes, decoded, files_of, stacked, video_frames
from streams.recording.storage import open_folder
from streams.recording.writer import Writer, check_free
from streams.sources import ImportedSettings

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
TURNTABLE = r"(?P<object>.+?)_*(?P<angle>\d+(\.\d+)?)"  # obj12__345


@dataclass
class ImportSettings:
    """Settings of the command."""

    source: str = ""  # a folder of pictures or videos, a video, a .npy, .npz or Zarr, a torchvision root
    path: str = ""  # where the recording goes: a new folder, or any fsspec URL
    dataset: str = ""  # the torchvision data set's class, such as CIFAR10; nothing is downloaded
    size: int = 0  # pixels along an edge: frames are resized and cut to the middle; 0 leaves them as they are
    episode: str = ""  # name of the array that says which frames are one episode
    angle: str = ""  # name of the array that says in which order they come
    names: str = TURNTABLE  # regular expression of file names that carry object and angle
    every: int = 1  # frames of a video that make one step


class Batch(NamedTuple):
    """Frames that are decoded together: TOGETHER of them, fewer of large pictures, or the last ones."""

    images: np.ndarray  # (s, H, W, 3) uint8
    episode: Sequence[int] | np.ndarray  # (s,) of each
    category: Sequence[int] | np.ndarray
    angle: Sequence[float] | np.ndarray  # degrees, or whatever the source counts in; a video's frame number


def frames_of(settings: ImportSettings) -> Iterator[Batch]:
    """The frames of a source, fitted, episode by episode, decoded as they are taken.

    Raises SettingError: there are none, or they can't be read.
    """
    where = Path(settings.source).expanduser()
    if settings.dataset or not where.is_dir() or is_zarr(where):
        return _videos([str(where)], settings) if where.suffix.lower() in VIDEOS else _arrays(settings)
    videos = files_of(where, VIDEOS)
    if videos and (beside := files_of(where, SUFFIXES)):
        print(f"source={where}: of {len(videos)} videos and {len(beside)} pictures, the videos are imported")  # noqa: T201
    return _videos(videos, settings) if videos else _folder(where, settings)


def import_stream(settings: ImportSettings) -> int:
    """Writes the recording that the settings ask for; returns the exit status."""
    for name in ("source", "path"):
        if not getattr(settings, name):
            raise SettingError(f"{name} is not given; write source=PICTURES path=NEW.zarr")
    if settings.size < 0 or settings.every < 1:
        raise SettingError(f"size={settings.size} and every={settings.every} must be 0 or more, and 1 or more")
    check_free(settings.path, setting="path")
    coming = blocks(settings)
    first = next(coming, None)
    if first is None:
        raise SettingError(f"source={settings.source} holds no frames; give pictures or videos")
    height, width = first["images"].shape[2:4]
    if height != width:
        raise SettingError(
            f"source={settings.source} shows {width}x{height}, and networks need squares; try size={min(height, width)}"
        )
    env = asdict(ImportedSettings(size=height))
    source = {name: value for name, value in asdict(settings).items() if name != "path"}
    source |= {"source": settings.source and str(Path(settings.source).expanduser().resolve())}
    about = {"env": env, "seed": 0, "gaze": "fixed", "source": source | {"files": _digest(settings.source)}}
    writer = Writer(settings.path, about, setting="path")
    try:
        writer.open(fresh=True)
        with Stop("frame") as stop:
            _write(chain([first], coming), writer, env, stop)
    except SettingError as error:
        writer.close()  # what is being written is there then
        if "zarr.json" not in open_folder(settings.path).names(""):
            raise
        raise SettingError(f"{error}; {settings.path} ends before that: remove it, and import again") from None
    finally:
        writer.close()
    print(f"{settings.path}: {writer.step:,} frames, the longest episode {env['episode_length']}")  # noqa: T201
    if stop:
        print("stopped: the recording ends there")  # noqa: T201
        return 128 + stop.signal
    print(f"try next: python -m streams.view {settings.path}")  # noqa: T201
    return 0


def _write(coming: Iterator[dict[str, Tensor]], writer: Writer, env: dict[str, Any], stop: Stop) -> None:
    """Writes all blocks, or those before a stop, and puts the length of the longest episode into `env`."""
    with Bar(Console(), done=0, total=0) as bar:
        for block in coming:
            env["episode_length"] = max(env["episode_length"], int(block["factors/age"].max()) + 1)
            writer.extend(block)
            if writer.full:
                writer.commit(wait=False)
                bar.show(writer.step)
            if stop:
                break
        writer.commit()


def blocks(settings: ImportSettings) -> Iterator[dict[str, Tensor]]:
    """The frames of a source as steps (s, 1, ...) of every array of a recording.

    Raises SettingError: as `frames_of`, or pictures of several sizes.
    """
    shown, age, first = -1, 0, None  # the episode of the frame before, and its age in it
    for batch in frames_of(settings):
        first = batch.images if first is None else first
        with _errors_of(settings.source):
            check_sizes(first, batch.images)
        ages = []
        for episode in batch.episode:
            shown, age = episode, age + 1 if episode == shown else 0
            ages.append(age)
        columns = {"images": batch.images, "episode": batch.episode, "factors/category": batch.category}
        columns |= {"factors/age": ages, "factors/angle": np.array(batch.angle, np.float32)}
        yield {name: torch.as_tensor(column)[:, None] for name, column in columns.items()}


def _arrays(settings: ImportSettings) -> Iterator[Batch]:
    """Pictures of an array file or data set; in the order of episode and angle, where there are such arrays."""
    pictures = load_pictures(settings.source, settings.dataset, setting="source")
    count = len(pictures.images)
    episode = _column(settings, settings.episode, count) if settings.episode else np.arange(count)
    angle = _column(settings, settings.angle, count) if settings.angle else np.zeros(count)
    episode = np.unique(episode, return_inverse=True)[1]
    order = np.lexsort((np.arange(count), angle, episode)) if settings.episode else np.arange(count)
    for at in np.split(order, range(TOGETHER, count, TOGETHER)):
        yield Batch(stacked(pictures.images[at], size=settings.size), episode[at], pictures.labels[at], angle[at])


def _column(settings: ImportSettings, name: str, count: int) -> np.ndarray:
    """A numeric array of this name beside the pictures."""
    where = Path(settings.source).expanduser()
    if where.suffix == ".npz":
        with np.load(where, allow_pickle=False) as arrays:
            known, column = arrays.files, arrays[name] if name in arrays.files else None
    else:
        import zarr

        node = zarr.open(where, mode="r") if is_zarr(where) else None
        known = dict(node.arrays()) if isinstance(node, zarr.Group) else {}
        with _errors_of(settings.source):
            column = numbers(known[name])[:] if name in known else None
    if column is None:
        raise SettingError(f"source={settings.source} has no array {name}; known: {', '.join(known) or 'none'}")
    if column.shape != (count,) or column.dtype.kind not in "iuf" or not np.isfinite(column).all():
        shape = f"{name} of shape {column.shape}"
        raise SettingError(f"source={settings.source} has {shape}, and not a number for each picture")
    return column


def _folder(where: Path, settings: ImportSettings) -> Iterator[Batch]:
    """Pictures in folders: an episode for each object in the file names, or else for each folder."""
    files = files_of(where, SUFFIXES)
    if not files:
        raise SettingError(f"source={where} holds no pictures or videos; known are {' '.join((*SUFFIXES, *VIDEOS))}")
    folders, owner, angle = _parsed_names(files, settings)
    folder_of, owner_of = _numbered(folders), _numbered(owner)
    category = folder_of if len(set(folder_of)) > 1 else owner_of
    order = sorted(range(len(files)), key=lambda at: (owner_of[at], angle[at], at))
    first = 0
    with _errors_of(settings.source):
        for images in decoded([files[at] for at in order], size=settings.size):
            members = order[first : first + len(images)]
            numbers, kinds = ([of[at] for at in members] for of in (owner_of, category))
            yield Batch(images, numbers, kinds, [angle[at] for at in members])
            first += len(images)


def _parsed_names(files: list[str], settings: ImportSettings) -> tuple[list[str], list, list[float]]:
    """Folder, object and angle of each file; the folder and 0 where names hold no object and angle."""
    try:
        pattern = re.compile(settings.names)
    except re.error as error:
        raise SettingError(f"names={settings.names} is no regular expression ({error})") from None
    folders, names = ([file.rpartition("/")[part] for file in files] for part in (0, 2))
    matches = [match for name in names if (match := pattern.fullmatch(name.rpartition(".")[0]))]
    if len(matches) < len(names) or not {"object", "angle"} <= pattern.groupindex.keys():
        return folders, folders, [0.0] * len(files)
    angles = []
    for match, name in zip(matches, names, strict=True):
        try:
            angles.append(float(match["angle"]))
        except (TypeError, ValueError):
            raise SettingError(
                f"names={settings.names} finds angle={match['angle']} in {name}, which is no number; "
                "let the group angle match digits, or set names=.* for the order of the names"
            ) from None
    return folders, [(folder, match["object"]) for folder, match in zip(folders, matches, strict=True)], angles


def _digest(source: str) -> str:
    """The sha256 of the names, sizes and times of the files of a source, which tell it from another."""
    where = Path(source).expanduser()
    files = sorted(file for file in where.rglob("*") if file.is_file()) if where.is_dir() else [where]
    stats = [(str(file.relative_to(where)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]


@contextmanager
def _errors_of(source: str) -> Iterator[None]:
    """Puts the source before the message of a SettingError about its pictures."""
    try:
        yield
    except SettingError as error:
        raise SettingError(f"source={source} {error}") from None


def _numbered(things: Sequence) -> list[int]:
    """The index of each thing among the distinct ones, in order of first appearance."""
    known = {thing: number for number, thing in enumerate(dict.fromkeys(things))}
    return [known[thing] for thing in things]


def _videos(files: list[str], settings: ImportSettings) -> Iterator[Batch]:
    """Videos, each an episode; its folder is its category, where there are several."""

    def frames() -> Iterator[tuple[np.ndarray, int, int, float]]:
        categories = _numbered([file.rpartition("/")[0] for file in files])
        for episode, (file, category) in enumerate(zip(files, categories, strict=True)):
            with _errors_of(file):
                for number, image in video_frames(file, every=settings.every):
                    yield image, episode, category, float(number)

    coming = frames()
    while batch := list(islice(coming, TOGETHER)):
        images, *of = zip(*batch, strict=True)
        with _errors_of(settings.source):
            yield Batch(stacked(images, size=settings.size), *of)


def main() -> None:
    """Runs the command on the process's arguments."""
    if {"-h", "--help"} & set(sys.argv[1:]) or not sys.argv[1:]:
        print(__doc__)  # noqa: T201
        return
    stopped = "what is committed is kept"
    sys.exit(guarded(lambda: import_stream(read(ImportSettings, sys.argv[1:])), place="path", stopped=stopped))


if __name__ == "__main__":
    main()
