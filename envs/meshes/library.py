"""All meshes of a folder: its sub-folders are categories, their files are objects."""

import warnings
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envs.command.text import counted, printable
from envs.errors import SettingError
from envs.images.folders import listing, named
from envs.meshes.cache import kept
from envs.meshes.files import MIB, Beside, read_bounded
from envs.meshes.mesh import Mesh
from envs.meshes.reading import SUFFIXES, read
from envs.meshes.sizing import UP_OF, ready

KNOWN = ", ".join(SUFFIXES)
TRIANGLES = 50_000_000  # of all files together, which take 7 GB
OTHERS = (".fbx", ".dae", ".blend", ".3ds", ".usd", ".usda", ".usdc", ".usdz", ".x3d", ".max", ".ma", ".step", ".stp")


class Library(NamedTuple):
    """M meshes that are ready to be shown, in the order of their categories and names."""

    meshes: list[Mesh]
    files: list[str]  # (M,) from the folder on
    category: np.ndarray  # (M,) int64 index into categories
    categories: list[str]  # sub-folders that hold at least one
    notes: list[str]  # what a user should know, a line each


class Reading(NamedTuple):
    """How files become meshes."""

    up: str  # x, y, z, or auto
    limit: int  # bytes of a file
    triangles: int  # of a file
    skip_broken: bool  # rather than to raise


@lru_cache(maxsize=2)  # a run makes many worlds of the same folder
def load(path: str, exclude: tuple[str, ...], reading: Reading) -> Library:
    """All meshes of a folder but those in the sub-folders `exclude`.

    Raises SettingError: with the path, what is wrong there, and the way out. Warns of what a user should know.
    """
    where = Path(path).expanduser()
    if not path:
        raise SettingError(f"env.path is not given; give a folder whose sub-folders hold {KNOWN}")
    if not where.is_dir():
        raise SettingError(f"env.path={path} is no folder; give one whose sub-folders hold {KNOWN}")
    try:
        library = _load(where, exclude, reading)
    except SettingError as error:
        raise SettingError(f"env.path={path} {error}") from None
    if library.notes:
        more = f" (and {counted(len(library.notes) - 1, 'other note')})" if len(library.notes) > 1 else ""
        warnings.warn(f"env.path={path}: {library.notes[0]}{more}", stacklevel=2)
    return library


def _load(where: Path, exclude: tuple[str, ...], reading: Reading) -> Library:
    files, notes = _files(where, exclude)
    meshes: dict[str, Mesh] = {}
    broken, triangles = [], 0
    for file in files:
        try:
            meshes[file] = _mesh(where, file, reading)
        except SettingError as error:
            broken.append(f"{printable(file)} {error}")
            continue
        triangles += len(meshes[file].corners)
        if triangles > TRIANGLES:
            raise SettingError(f"holds over {TRIANGLES:,} triangles; give fewer or simpler files")
        notes += [f"{printable(file)}: {note}" for note in meshes[file].notes]
    if broken and not reading.skip_broken:
        more = f" (and {counted(len(broken) - 1, 'other file')})" if len(broken) > 1 else ""
        raise SettingError(
            f"holds a file that can't be shown: {broken[0]}{more}; or set env.skip_broken=true to go on without"
        )
    if not meshes:
        raise SettingError(f"holds no file that can be shown ({broken[0]})")
    names = list(dict.fromkeys(_category(file) for file in meshes))
    category = np.array([names.index(_category(file)) for file in meshes])
    notes += [f"passed over: {line}" for line in broken]
    return Library(list(meshes.values()), list(meshes), category, names, notes)


def _files(where: Path, exclude: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The mesh files in sub-folders, from the folder on, and notes on what is passed over."""
    found = listing(where, SUFFIXES)
    inside = [file[len(str(where)) :].lstrip("/") for file in found.files]
    files = [file for file in inside if "/" in file and _category(file) not in exclude]
    notes = [f"passed over: {named(kind, names)}" for kind, names in found.passed_over.items() if kind in OTHERS]
    loose = [file for file in inside if "/" not in file]
    if loose:
        notes.append(f"passed over, since they are in no sub-folder: {named('files', loose)}")
    present = {_category(file) for file in inside}
    for name in exclude:
        if name not in present:
            raise SettingError(f"has no sub-folder {name} with meshes, which env.exclude names; leave it out")
    if not files:
        raise SettingError(f"has no sub-folder that holds {KNOWN}; put the objects of each category into one")
    return files, notes


def _category(file: str) -> str:
    return file.partition("/")[0]


def _mesh(where: Path, name: str, reading: Reading) -> Mesh:
    """One file's mesh. Raises SettingError, whose message goes on after the file's name."""
    file = where / name
    data = read_bounded(file, limit=reading.limit)
    beside = Beside(file, where, limit=reading.limit)
    suffix = file.suffix.lower()
    up = UP_OF.get(suffix, "y") if reading.up == "auto" else reading.up

    def make() -> Mesh:
        return ready(read(file, data, beside, limit=reading.limit, triangles=reading.triangles), up=up)

    mesh = kept(data, beside, f"{suffix} {up}", make)
    if len(mesh.corners) > reading.triangles:  # of one that was kept when the limit was higher
        raise SettingError(f"shows {len(mesh.corners):,} triangles, over env.max_triangles={reading.triangles:,}")
    return mesh


def bytes_of(megabytes: float) -> int:
    """Bytes of so many MB (2^20 each)."""
    return int(megabytes * MIB)
