"""WebDataset's shards: .tar files in which what belongs to a picture has its name, up to the first point.

Read by the standard library's tarfile, member by member: the package webdataset unpickles members of some names.
"""

import json
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from envs.command.text import counted, printable
from envs.errors import SettingError
from envs.images.decoding import shown_bytes, suffixes
from envs.images.folders import natural
from streams.media.pictures import OR_SKIP, TOGETHER, fitted, stacked
from streams.media.source import Batch, ImportSettings, Report, Source

MEMBER_BYTES = 1 << 28  # of one picture or label
LABELS = ("label", "category", "class", "cls", "target")  # in a .json
EPISODES = ("episode", "episode_id", "episode_index")
MOST_LABEL = (1 << 31) - 1


class Sample(NamedTuple):
    """One picture of a shard."""

    pixels: np.ndarray  # (H, W, 3) uint8
    category: int
    episode: Any  # what its .json says; None where it says nothing


def shards_of(where: Path) -> list[Path]:
    """The .tar files of a folder, 2 before 10, or one by itself; none where there are none."""
    if where.is_file():
        return [where] if where.suffix == ".tar" else []
    return sorted(where.glob("*.tar"), key=lambda path: natural(path.name)) if where.is_dir() else []


def shards_source(shards: list[Path], settings: ImportSettings) -> Source:
    """The pictures of the shards, one after another: KEY.jpg (or the like), KEY.cls or KEY.json with its label.

    Those that follow each other and whose .json names the same episode are one; others are episodes by themselves.

    Raises SettingError: its frames, that one can't be read.
    """
    report = Report()
    plan = [f"{counted(len(shards), 'shard')} of pictures, whose labels are in .cls or .json"]
    return Source(_batches(shards, settings, report), plan, [], report)


def _batches(shards: list[Path], settings: ImportSettings, report: Report) -> Iterator[Batch]:
    coming, episode, last = (one for shard in shards for one in _samples(shard, settings, report)), -1, None
    while batch := list(islice(coming, TOGETHER)):
        episodes = []
        for sample in batch:
            episode += sample.episode is None or sample.episode != last
            last = sample.episode
            episodes.append(episode)
        images = stacked([sample.pixels for sample in batch], size=0)
        yield Batch(images, np.array(episodes), np.array([sample.category for sample in batch]), {})


def _samples(shard: Path, settings: ImportSettings, report: Report) -> Iterator[Sample]:
    """The pictures of a shard; torn ones are left out, or an error."""
    for key, parts in _groups(shard):
        name = f"{shard.name}/{key}"
        picture = next((ending for ending in parts if f".{ending}".endswith(suffixes())), None)
        if picture is None:
            report.change("without a picture, passed over", name)
            continue
        try:
            image = shown_bytes(parts[picture], name)
        except SettingError as error:
            if not settings.skip_broken:
                raise SettingError(f"{error}, {OR_SKIP}") from None
            report.broken.append(printable(name))
            continue
        for change in image.changes:
            report.change(change, name)
        told = _told(parts, name)
        label = next((told[label] for label in LABELS if label in told), 0)
        episode = next((told[of] for of in EPISODES if of in told), None)
        yield Sample(fitted(image.pixels, settings.size), _label(label, name), episode)


def _told(parts: dict[str, bytes], name: str) -> dict[str, Any]:
    """What .json and .cls say of a picture."""
    try:
        told = json.loads(parts["json"]) if "json" in parts else {}
        return (told if isinstance(told, dict) else {}) | ({"cls": int(parts["cls"])} if "cls" in parts else {})
    except ValueError:
        raise SettingError(f"holds {printable(name)}, whose .json or .cls can't be read; mend it") from None


def _label(label: Any, name: str) -> int:
    if not isinstance(label, int) or not 0 <= label <= MOST_LABEL:
        raise SettingError(f"holds {printable(name)}, whose label is {label!r}; store 0, 1, 2 and so on")
    return label


def _groups(shard: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Members that follow each other and have one name up to the first point of their file's, by their endings."""
    key = ""
    parts: dict[str, bytes] = {}
    try:
        with tarfile.open(shard, "r|*") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                if member.size > MEMBER_BYTES:
                    raise SettingError(f"holds {printable(member.name)} of {member.size:,} bytes; take it out")
                folder, _, file = member.name.rpartition("/")
                stem, _, ending = file.partition(".")
                if f"{folder}/{stem}" != key:
                    if parts:
                        yield key.lstrip("/"), parts
                    key, parts = f"{folder}/{stem}", {}
                content = tar.extractfile(member)
                parts[ending.lower()] = content.read() if content else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SettingError(f"holds {printable(shard.name)}, which is no whole .tar ({error}); fetch it again") from None
    if parts:
        yield key.lstrip("/"), parts
