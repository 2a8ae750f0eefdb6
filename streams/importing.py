"""Imports pictures and videos as a recording: python -m streams.importing

python -m streams.importing source=turntable path=coil.zarr               # obj1__0.png, obj1__5.png, ...
python -m streams.importing source=coil100.npz path=coil.zarr episode=labels angle=angle
python -m streams.importing source=walks path=walks.zarr size=64           # a folder an episode, or films
python -m streams.importing source=cam path=cam.zarr fps=10                # frames at uneven times, taken evenly
python -m streams.importing source=core50 path=core50.zarr category=last   # session/object/..: an object a category
python -m streams.importing source=~/data dataset=CIFAR10 path=cifar.zarr  # each picture an episode by itself

names=frames (each folder an episode, in the order of its names), turntable (object and angle), time, single (each
picture an episode) or a regular expression with groups object and angle, frame or time says how file names are read,
where that is not clear: folders whose pictures do not follow one another may be classes of single ones. A LeRobot data
set (camera=NAME of several) has a film an episode and a category for what was asked; WebDataset's .tar shards hold
pictures with a .cls or .json. every=2 takes every second frame of a film.
skip_broken=true passes over torn files, by name.
time=NAME names the array that says when pictures come.

The frames of the source follow each other in one world. To learn from them, in batches of at most
`stream.worlds` rows, each of which plays another part of the episodes:

python -m learners.online stream=replay stream.path=coil.zarr stream.order=episodes stream.worlds=16 stream.repeat=true
"""

import hashlib
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from envs.command.help import help_text
from envs.errors import SettingError
from envs.images.folders import listing
from envs.images.pictures import is_zarr
from envs.settings import read
from streams.media.arrays import arrays_source
from streams.media.files import files_source, is_media
from streams.media.shards import shards_of, shards_source
from streams.media.source import ImportSettings, Source, check_settings
from streams.process.errors import guarded
from streams.process.progress import Bar
from streams.process.signals import Stop
from streams.process.terminal import Terminal, visible
from streams.recording.reader import MARK
from streams.recording.storage import open_folder
from streams.recording.writer import Writer, check_free
from streams.sources import ImportedSettings


def source_of(settings: ImportSettings) -> Source:
    """The source that the settings name, whose frames are decoded as they are taken, in the same order every time.

    Raises SettingError: there is none, it can't be read, or its names may be read in two ways.
    """
    where = Path(settings.source).expanduser()
    if shards := shards_of(where):
        check_settings(settings, arrays=False)
        return shards_source(shards, settings)
    arrays = bool(settings.dataset) or is_zarr(where) or not (where.is_dir() or (where.is_file() and is_media(where)))
    check_settings(settings, arrays=arrays)
    if arrays:
        return arrays_source(settings)
    with _errors_of(settings.source):
        return files_source(where, settings)


def import_stream(settings: ImportSettings) -> int:
    """Writes the recording that the settings ask for; returns the exit status."""
    for name in ("source", "path"):
        if not getattr(settings, name):
            raise SettingError(f"{name} is not given; write source=PICTURES path=NEW.zarr")
    check_free(settings.path, setting="path")
    found = source_of(settings)
    if doubt := found.doubt():
        raise SettingError(f"source={settings.source} {doubt}")
    for line in found.plan:
        print(visible(line))  # noqa: T201
    coming = blocks(settings, found)
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
    source |= {"files": _digest(settings.source), "categories": found.categories}
    about = {"env": env, "seed": 0, "gaze": "fixed", "source": source}
    writer = Writer(settings.path, about, setting="path")
    try:
        writer.open(fresh=True)
        with Stop("frame") as stop:
            _write(chain([first], coming), writer, env, stop)
    except SettingError as error:
        writer.close()  # what is being written is there then
        if MARK not in open_folder(settings.path).names(""):
            raise
        raise SettingError(f"{error}; {settings.path} ends before that: remove it, and import again") from None
    finally:
        writer.close()
    print(f"{visible(settings.path)}: {writer.step:,} frames, the longest episode {env['episode_length']}")  # noqa: T201
    for line in found.report.lines():
        print(visible(line))  # noqa: T201
    if stop:
        print("stopped: the recording ends there")  # noqa: T201
        return 128 + stop.signal
    print(f"try next: python -m streams.view {shlex.quote(settings.path)}")  # noqa: T201
    return 0


def _write(coming: Iterator[dict[str, Tensor]], writer: Writer, env: dict[str, Any], stop: Stop) -> None:
    """Writes all blocks, or those before a stop, and puts the length of the longest episode into `env`."""
    with Bar(Terminal(), done=0, total=0) as bar:
        for block in coming:
            env["episode_length"] = max(env["episode_length"], int(block["factors/age"].max()) + 1)
            writer.extend(block)
            if writer.full:
                writer.commit(wait=False)
                bar.show(writer.step)
            if stop:
                break
        writer.commit()


def blocks(settings: ImportSettings, source: Source | None = None) -> Iterator[dict[str, Tensor]]:
    """The frames of a source (of the settings' own, where none is given) as steps (s, 1, ...) of every array.

    Raises SettingError: as `source_of`, or frames that can't be decoded or are of several sizes.
    """
    shown, age = -1, 0  # the episode of the frame before, and its age in it
    with _errors_of(settings.source):
        for batch in (source or source_of(settings)).frames:
            ages = []
            for episode in batch.episode:
                shown, age = episode, age + 1 if episode == shown else 0
                ages.append(age)
            columns: dict[str, Any] = {
                "images": batch.images,
                "episode": batch.episode,
                "factors/category": batch.category,
            }
            columns |= {"factors/age": ages} | {f"factors/{name}": values for name, values in batch.factors.items()}
            yield {name: torch.as_tensor(column)[:, None] for name, column in columns.items()}


def _digest(source: str) -> str:
    """The sha256 of the names, sizes and times of the files of a source, which tell it from another."""
    where = Path(source).expanduser()
    files = [Path(file) for file in listing(where, ("",)).files] if where.is_dir() else [where]
    stats = [(str(file.relative_to(where)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]


@contextmanager
def _errors_of(source: str) -> Iterator[None]:
    """Puts the source before the message of a SettingError about its pictures."""
    try:
        yield
    except SettingError as error:
        begins = f"source={source} "
        raise SettingError(begins + str(error).removeprefix(begins)) from None


def main() -> None:
    """Runs the command on the process's arguments."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print("\n".join([__doc__ or "", "settings:", help_text(ImportSettings)]))  # noqa: T201
        return
    stopped = "what is committed is kept"
    sys.exit(guarded(lambda: import_stream(read(ImportSettings, sys.argv[1:])), place="path", stopped=stopped))


if __name__ == "__main__":
    main()
