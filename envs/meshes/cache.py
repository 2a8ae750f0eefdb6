"""Meshes that were made ready once are kept in the user's cache folder, by what their files hold."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from envs.images.folders import cache_folder
from envs.meshes.files import Beside
from envs.meshes.mesh import PER_TRIANGLE, Mesh

VERSION = 1  # of how meshes are made ready; another one does not find what this one kept
BROKEN = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def folder() -> Path:
    """Where meshes are kept."""
    return cache_folder("meshes")


def kept(data: bytes, beside: Beside, name: str, make: Callable[[], Mesh]) -> Mesh:
    """The mesh that `make` makes of a file, from the cache where it was made before.

    Args:
        data: the file's bytes.
        beside: the other files that it may name; those count that it did name, with what they hold.
        name: what else the mesh depends on.
        make: makes it, and has `beside` read what it needs.

    A cache that can't be read or written is no error: the mesh is made again.
    """
    identity = hashlib.sha256(f"{VERSION} {name} {len(data)} ".encode() + data).hexdigest()
    path = folder() / f"{identity}.npz"
    mesh = _load(path, beside)
    if mesh is None:
        mesh = make()
        _save(path, mesh, beside)
    return mesh


def _load(path: Path, beside: Beside) -> Mesh | None:
    """A mesh that was kept, if the files that it names are what they were."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if any(_content(beside, other) != was for other, was in about["others"].items()):
                return None
            arrays = {name: stored[name] for name in (*PER_TRIANGLE, "cutoff", "mean")}
            textures = [stored[f"texture_{number}"] for number in range(about["textures"])]
        return Mesh(**arrays, textures=textures, notes=about["notes"], bound=about["bound"])
    except BROKEN:
        return None


def _save(path: Path, mesh: Mesh, beside: Beside) -> None:
    """Keeps a mesh, whole or not at all."""
    others = {name: _content(beside, name) for name in (*beside.read, *beside.missing)}
    about = {"others": others, "textures": len(mesh.textures), "notes": mesh.notes, "bound": mesh.bound}
    names = [item.name for item in fields(Mesh) if item.name not in ("textures", "notes", "bound")]
    arrays = {name: getattr(mesh, name) for name in names} | {"about": np.array(json.dumps(about))}
    arrays |= {f"texture_{number}": texture for number, texture in enumerate(mesh.textures)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
            try:
                np.savez(file, **arrays)
            except OSError:
                part.unlink()
                raise
        part.replace(path)
    except OSError:
        return


def _content(beside: Beside, name: str) -> str:
    """What a file that another names holds, as a hash; empty where there is no such file."""
    try:
        return hashlib.sha256(beside.get(name)).hexdigest()
    except (FileNotFoundError, ValueError):
        return ""
