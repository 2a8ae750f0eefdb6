"""What is imported: the settings, the frames of a source as they come, and what is to be said of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from envs.command.text import printable
from envs.errors import SettingError, unknown
from envs.images.folders import named

Item = TypeVar("Item")
CATEGORIES = ("path", "top", "last")
OF_FILES, OF_ARRAYS = (
    ("names", "category", "camera", "every", "skip_broken"),
    ("episode", "angle", "time"),
)  # settings of either alone
LARGEST = 8192  # pixels along an edge
MOST_FRAMES = 10_000_000  # that `fps` may make of pictures with times
EVEN = 0.01  # of the usual time between two frames: as much as times may be rounded


@dataclass
class ImportSettings:
    """Settings of the command."""

    source: str = ""  # a folder of pictures or films, one of them, a .npy, .npz or Zarr, a torchvision root
    path: str = ""  # where the recording goes: a new folder, or any fsspec URL
    dataset: str = ""  # the torchvision data set's class, such as CIFAR10; nothing is downloaded
    size: int = 0  # pixels along an edge: frames are resized and cut to the middle; 0 leaves them as they are
    episode: str = ""  # name of the array that says which frames are one episode
    angle: str = ""  # name of the array that says in which order they come
    time: str = ""  # name of the array that says when they come, in seconds
    names: str = "auto"  # how file names are read: auto, frames, turntable, time, single, or a regular expression
    category: str = "path"  # which folder is the category: path (all from the source on), top or last (the innermost)
    camera: str = ""  # whose films are taken, where a LeRobot data set has several
    every: int = 1  # frames of a film that make one step
    fps: float = 0  # frames a second, taken by the times of the source's; 0 takes each as it comes
    skip_broken: bool = False  # pass over files that are torn, by name


class Batch(NamedTuple):
    """Frames that are decoded together."""

    images: np.ndarray  # (s, H, W, 3) uint8
    episode: np.ndarray  # (s,) of each
    category: np.ndarray  # (s,)
    factors: dict[str, np.ndarray]  # (s,) float32 angle in degrees or time in seconds, int64 frame


@dataclass
class Report:
    """What happened to the files of a source, counted while they are decoded."""

    changed: dict[str, dict[str, None]] = field(default_factory=dict)  # what was done to files: which
    broken: list[str] = field(default_factory=list)  # files that could not be decoded, and why
    unevenly: dict[str, None] = field(default_factory=dict)  # those whose frames come at uneven times

    def change(self, what: str, file: str) -> None:
        """Notes that something was done to a file's frames."""
        self.changed.setdefault(what, {})[file] = None

    def lines(self) -> list[str]:
        """A line for each kind of change, and one for each torn file."""
        last = [(what, [printable(file.rpartition("/")[2]) for file in files]) for what, files in self.changed.items()]
        if self.unevenly:
            last.append(("of frames at uneven times (fps= takes them evenly)", [*self.unevenly]))
        return [named(what, files) for what, files in last] + [f"passed over, torn: {file}" for file in self.broken]


class Source(NamedTuple):
    """A source whose frames are decoded as they are taken."""

    frames: Iterator[Batch]
    plan: list[str]  # what was understood, a line each
    categories: list[str]  # what category 0, 1, ... are called; empty where nobody said
    report: Report
    doubt: Callable[[], str] = str  # says, of a source that is imported anew, why it may be understood otherwise


def resampled(frames: Iterable[tuple[float, Item]], fps: float) -> Iterator[tuple[float, Item]]:
    """The frame that is shown at each 1/fps seconds, with that time, of frames (seconds, item) in their order."""
    tick, first, shown = 0, None, None
    for time_s, item in frames:
        first = time_s if first is None else first
        while shown and tick / fps < time_s - first - 1e-6:
            yield tick / fps, shown[0]
            tick += 1
        shown = (item,)
        last = time_s - first
    if shown and tick / fps <= last + 1e-6:
        yield tick / fps, shown[0]


def check_settings(settings: ImportSettings, *, arrays: bool) -> None:
    """Raises SettingError where size, every or fps cannot work, or a setting means nothing to this kind of source."""
    if settings.every < 1:
        raise SettingError(f"every={settings.every} takes no frames; try 1 or more")
    if not 0 <= settings.size <= LARGEST:
        raise SettingError(f"size={settings.size} is out of range; try 32, or 0 to leave frames as they are")
    if not 0 <= settings.fps <= 1000:
        raise SettingError(f"fps={settings.fps} is out of range; try 10, or 0 to take each frame as it comes")
    if settings.category not in CATEGORIES:
        raise unknown("category", settings.category, CATEGORIES)
    if settings.fps and settings.every > 1:
        raise SettingError(f"every={settings.every} and fps={settings.fps} exclude one another; leave one of them out")
    defaults = ImportSettings()
    for name in OF_FILES if arrays else OF_ARRAYS:
        if (value := getattr(settings, name)) != getattr(defaults, name):
            kinds = "files of pictures or films", "arrays"
            raise SettingError(
                f"{name}={value} is for {kinds[not arrays]}, and source={settings.source} holds {kinds[arrays]}; "
                "leave it out"
            )
