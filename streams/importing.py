"""Pictures and videos become a recording: python -m streams.importing

python -m streams.importing source=turntable path=coil.zarr               # obj1__0.png, obj1__5.png, ...
python -m streams.importing source=coil100.npz path=coil.zarr episode=labels angle=angle
python -m streams.importing source=walks path=walks.zarr size=64           # a folder an episode, or videos
python -m streams.importing source=~/data dataset=CIFAR10 path=cifar.zarr  # each picture an episode by itself

What follows each other in the source does so in the recording, one world's frames one after another. To learn from it:

python -m learners.online stream=replay stream.path=coil.zarr stream.order=episodes stream.worlds=64 stream.repeat=true
"""

import os
import re
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from envs.errors import SettingError
from envs.pictures import SUFFIXES, load_pictures, picture
from envs.settings import read
from streams.commands import Bar, Stop, guarded
from streams.source import ImportedSettings
from streams.writer import Writer, check_free

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
THREADS = min(os.cpu_count() or 1, 8)  # that decode pictures
TOGETHER = 64  # frames that are decoded, and handed to the writer, at once; as many divide a shard
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
    """One frame on its way."""

    image: np.ndarray  # (H, W, 3) uint8
    episode: int
    category: int
    angle: float  # degrees, or whatever the source counts in; the frame's number where it counts in nothing


def frames_of(told: ImportSettings) -> Iterator[Shown]:
    """The frames of a source, episode by episode, read as they are asked for.

    Raises:
        SettingError: there are none, or they can't be read.
    """
    where = Path(told.source).expanduser()
    if told.dataset or not where.is_dir() or (where / "zarr.json").exists():
        return _video([where], told) if where.suffix.lower() in VIDEOS else _arrays(told)
    videos = sorted((file for file in where.rglob("*") if file.suffix.lower() in VIDEOS), key=_natural)
    return _video(videos, told) if videos else _folder(where, told)


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
    height, width = fitted(first.image, told.size).shape[:2]
    if height != width:
        raise SettingError(
            f"source={told.source} shows {width}x{height}, and networks need squares; try size={min(height, width)}"
        )
    env = asdict(ImportedSettings(size=height))
    writer, before = Writer(told.path, {"env": env, "seed": 0, "gaze": "fixed"}, setting="path"), (-1, 0)
    try:
        writer.open(fresh=True)
        with Bar(Console(), done=0, total=0) as bar, Stop("frame") as stop:
            shown = chain([first], shown)
            while not stop and (some := list(islice(shown, TOGETHER))):
                images = _images(some, told, edge=height)
                ages = _ages([one.episode for one in some], before)
                before, env["episode_length"] = (some[-1].episode, ages[-1]), max(env["episode_length"], max(ages) + 1)
                writer.extend(_block(some, images, ages))
                if writer.full:
                    writer.commit(wait=False)
                    bar.show(writer.step)
            writer.commit()
    finally:
        writer.close()
    print(f"{told.path}: {writer.step:,} frames, the longest episode {env['episode_length']}")  # noqa: T201
    if stop:
        print("stopped: the recording ends there")  # noqa: T201
        return 128 + stop.came
    print(f"try next: python -m streams.view {told.path}")  # noqa: T201
    return 0


def fitted(image: np.ndarray, size: int) -> np.ndarray:
    """An image (H, W, 3), where a size is asked for resized to it along its shorter edge and cut to the middle."""
    height, width = image.shape[:2]
    if not size or (height, width) == (size, size):
        return image
    short = min(height, width)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, box=box))


def _images(some: list[Shown], told: ImportSettings, *, edge: int) -> np.ndarray:
    """The images (s, H, W, 3), all of one size. Raises SettingError where one is of another."""
    images = [fitted(one.image, told.size) for one in some]
    for image in images:
        if image.shape[:2] != (edge, edge):
            height, width = image.shape[:2]
            sizes = f"{edge}x{edge} and {width}x{height}; try size={min(edge, width, height)}"
            raise SettingError(f"source={told.source} mixes sizes, {sizes}")
    return np.stack(images)


def _ages(episodes: list[int], before: tuple[int, int]) -> list[int]:
    """How many frames of its episode came before each, after one of this episode and age."""
    ages = []
    for episode in episodes:
        before = episode, before[1] + 1 if episode == before[0] else 0
        ages.append(before[1])
    return ages


def _block(some: list[Shown], images: np.ndarray, ages: list[int]) -> dict[str, Tensor]:
    """Frames that follow each other, as the writer takes them: (s, 1, ...)."""
    columns = {"episode": [one.episode for one in some], "factors/category": [one.category for one in some]}
    columns |= {"factors/age": ages, "factors/angle": np.array([one.angle for one in some], np.float32)}
    rows = {name: torch.as_tensor(column)[:, None] for name, column in columns.items()}
    return {"images": torch.from_numpy(images)[:, None]} | rows


def _arrays(told: ImportSettings) -> Iterator[Shown]:
    """Pictures of an array file or data set; in the order of episode and angle, where there are such arrays."""
    found = load_pictures(told.source, told.dataset, setting="source")
    count = len(found.images)
    episode = _column(told, told.episode, count) if told.episode else np.arange(count)
    angle = _column(told, told.angle, count) if told.angle else np.zeros(count)
    episode = np.unique(episode, return_inverse=True)[1]
    for at in np.lexsort((np.arange(count), angle, episode)) if told.episode else range(count):
        yield Shown(found.images[at], int(episode[at]), int(found.labels[at]), float(angle[at]))


def _column(told: ImportSettings, name: str, count: int) -> np.ndarray:
    """A numeric array of this name beside the pictures."""
    where = Path(told.source).expanduser()
    if where.suffix == ".npz":
        with np.load(where, allow_pickle=False) as arrays:
            known, found = arrays.files, arrays[name] if name in arrays.files else None
    else:
        import zarr

        group = zarr.open(where, mode="r") if (where / "zarr.json").exists() else {}
        known, found = list(group), np.asarray(group[name][:]) if name in group else None
    if found is None:
        raise SettingError(f"source={told.source} has no array {name}; known: {', '.join(known) or 'none'}")
    if found.shape != (count,) or found.dtype.kind not in "iuf":
        raise SettingError(f"source={told.source} has {name} of shape {found.shape}, and not a number for each picture")
    return found


def _folder(where: Path, told: ImportSettings) -> Iterator[Shown]:
    """Pictures in folders: an episode for each object that the names tell of, or else for each folder."""
    files = sorted(
        (file for file in where.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()), key=_natural
    )
    if not files:
        raise SettingError(f"source={where} holds no pictures or videos; known are {' '.join((*SUFFIXES, *VIDEOS))}")
    try:
        told_by = [re.fullmatch(told.names, file.stem) for file in files]
    except re.error as error:
        raise SettingError(f"names={told.names} is no regular expression ({error})") from None
    if all(told_by) and all({"object", "angle"} <= one.groupdict().keys() for one in told_by):
        owner = [(file.parent, one["object"]) for file, one in zip(files, told_by, strict=True)]
        angle = [float(one["angle"]) for one in told_by]
    else:
        owner, angle = [(file.parent, "") for file in files], [0.0] * len(files)
    folder_of = _numbered([file.parent for file in files])
    owner_of = _numbered(owner)
    category = folder_of if len(set(folder_of)) > 1 else owner_of
    order = sorted(range(len(files)), key=lambda at: (owner_of[at], angle[at], at))
    for at, image in zip(order, _decoded([files[at] for at in order], told), strict=True):
        yield Shown(image, owner_of[at], category[at], angle[at])


def _decoded(files: list[Path], told: ImportSettings) -> Iterator[np.ndarray]:
    """The pictures (H, W, 3) in this order, decoded and fitted by threads ahead of whoever asks."""

    def decode(some: list[Path]) -> list[np.ndarray]:
        try:
            return [fitted(picture(file), told.size) for file in some]
        except SettingError as error:
            raise SettingError(f"source={told.source} {error}") from None

    pool, ahead = ThreadPoolExecutor(THREADS, "decoding"), deque()
    try:
        for first in range(0, len(files), TOGETHER):
            ahead.append(pool.submit(decode, files[first : first + TOGETHER]))
            if len(ahead) > 2 * THREADS:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _numbered(things: list) -> list[int]:
    """The number of each among those that differ, in the order in which they first appear."""
    known = {thing: number for number, thing in enumerate(dict.fromkeys(things))}
    return [known[thing] for thing in things]


def _video(files: list[Path], told: ImportSettings) -> Iterator[Shown]:
    """Videos, each an episode; its folder is its category, where there are several."""
    try:
        import av
    except ImportError:
        raise SettingError(f"source={told.source} needs PyAV; pip install 'contiguity[video]'") from None
    for episode, (file, category) in enumerate(zip(files, _numbered([file.parent for file in files]), strict=True)):
        number = -1
        try:
            with av.open(str(file)) as container:
                container.streams.video[0].thread_type = "AUTO"
                for number, frame in enumerate(container.decode(video=0)):
                    if number % told.every == 0:
                        yield Shown(frame.to_ndarray(format="rgb24"), episode, category, float(number))
        except (av.FFmpegError, IndexError, OSError) as error:
            raise SettingError(f"source={file} can't be read as a video ({error}); mend or remove it") from None
        if number < 0:
            raise SettingError(f"source={file} is a video with no frames; remove it")


def _natural(file: Path) -> list:
    """Sorts frame2 before frame10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", str(file))]


def main() -> None:
    """The command."""
    if {"-h", "--help"} & set(sys.argv[1:]) or not sys.argv[1:]:
        print(__doc__)  # noqa: T201
        return
    stopped = "what is committed is kept"
    sys.exit(guarded(lambda: import_stream(settings(sys.argv[1:])), place="path", stopped=stopped))


def settings(overrides: list[str]) -> ImportSettings:
    """What name=value says."""
    known = vars(ImportSettings())
    told = read([*overrides], known)
    return ImportSettings(**{name: told[name] for name in known})


if __name__ == "__main__":
    main()
