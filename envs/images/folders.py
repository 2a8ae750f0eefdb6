"""Lists the files of a folder and the classes that its folders are: the one door for importing and for worlds."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envs.command.text import printable
from envs.errors import SettingError

SYSTEM = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information"}
HIDDEN, LOOP, SPECIAL = "hidden or of the system", "link(s) that lead back", "pipe(s) or link(s) to nothing"
SHOWN = 4  # names of what is passed over, in its line


def cache_folder(name: str) -> Path:
    """Where what can be made again is kept: `contiguity/NAME` in XDG_CACHE_HOME, or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contiguity" / name


class Listing(NamedTuple):
    """The files of a folder and those below it, 2 before 10, and what is no such file."""

    files: list[str]  # as plain strings: of a hundred thousand files a Path each would take longer than listing them
    classes: list[int]  # the number of each file's folder among those that hold any
    categories: list[str]  # the folders' names from the folder on, of that itself its own
    passed_over: dict[str, list[str]]  # kind: names from the folder on


def listing(where: Path, suffixes: tuple[str, ...]) -> Listing:
    """The files with one of these endings (in small letters) in a folder and those below it.

    Links are followed, but for those that lead back to a folder around them. Hidden and system entries are passed over.
    """
    files: list[str] = []
    classes: list[int] = []
    categories: list[str] = []
    passed_over: dict[str, list[str]] = {}
    top = str(where)
    for folder, names in _walk(top, (), passed_over, top):
        fitting = [name for name in names if name.lower().endswith(suffixes)]
        for name in names if len(fitting) < len(names) else ():
            if not name.lower().endswith(suffixes):
                ending = os.path.splitext(name)[1].lower() or "without an ending"  # noqa: PTH122  strings, as above
                passed_over.setdefault(ending, []).append(_from(top, f"{folder}/{name}"))
        if fitting:
            files += [f"{folder}/{name}" for name in fitting]
            classes += [len(categories)] * len(fitting)
            categories.append(_from(top, folder) or where.resolve().name)
    return Listing(files, classes, categories, passed_over)


def natural(name: str) -> tuple:
    """The key by which 2 comes before 10."""
    parts = [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
    return parts, name  # by which 01 comes before 1, wherever the disk lists it


def named(kind: str, names: list[str]) -> str:
    """How many entries of a kind there are, and the first of them by name."""
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{len(names):,} {kind} ({printable(shown)})"


def _walk(
    folder: str, around: tuple[tuple[int, int], ...], passed_over: dict[str, list[str]], top: str
) -> Iterator[tuple[str, list[str]]]:
    """Each folder with the names of its files, in order."""
    names, folders = [], []
    try:
        here, entries = os.stat(folder), list(os.scandir(folder))  # noqa: PTH116
        inside = (*around, (here.st_dev, here.st_ino))
        for entry in entries:
            kind = _kind(entry, inside)
            if kind == "file":
                names.append(entry.name)
            elif kind == "folder":
                folders.append(entry.name)
            else:
                passed_over.setdefault(kind, []).append(_from(top, entry.path))
    except OSError as error:
        raise SettingError(f"holds {_from(top, folder) or folder}, which can't be read ({error.strerror})") from None
    yield folder, sorted(names, key=natural)
    for name in sorted(folders, key=natural):
        yield from _walk(f"{folder}/{name}", inside, passed_over, top)


def _kind(entry: os.DirEntry, inside: tuple[tuple[int, int], ...]) -> str:
    """`file`, `folder`, or why an entry is passed over."""
    if entry.name.startswith(".") or entry.name.lower() in SYSTEM:
        return HIDDEN
    try:
        if entry.is_file():
            return "file"
        if not entry.is_dir():
            return SPECIAL  # a pipe, which would never end, or a link to nothing
    except OSError:  # a link to itself
        return SPECIAL
    if entry.is_symlink():
        there = entry.stat()
        return LOOP if (there.st_dev, there.st_ino) in inside else "folder"
    return "folder"


def _from(top: str, path: str) -> str:
    """A path less the folder at its beginning."""
    return path[len(top) :].lstrip("/")
