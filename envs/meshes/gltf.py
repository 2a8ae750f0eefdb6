"""What a glTF file says of itself, held to what can be read within bounds before trimesh reads it."""

import json
import struct
from importlib.util import find_spec
from typing import Any

from envs.errors import SettingError

ITEMS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}  # of a number, by componentType
NODES = 100_000
ROOM = 16  # times the limit of a file that its arrays may take
UNREADABLE = ("EXT_meshopt_compression", "KHR_meshopt_compression", "KHR_texture_basisu")
DRACO = "KHR_draco_mesh_compression"
OF_SRGB = "UniGLTF-1."  # a generator that wrote colour factors as sRGB, against the standard


def header(data: bytes, suffix: str) -> dict[str, Any]:
    """The JSON of a `.glb` or `.gltf`. Raises SettingError: there is none."""
    try:
        if suffix == ".glb":
            magic, _, _, length, kind = struct.unpack("<4s4I", data[:20])
            if magic != b"glTF" or kind != 0x4E4F534A or length > len(data) - 20:
                raise ValueError("it is truncated" if magic == b"glTF" else "it does not begin as one")
            data = data[20 : 20 + length]
        read = json.loads(data)
        if not isinstance(read, dict):
            raise ValueError("its JSON is no object")
        return read
    except (ValueError, struct.error, RecursionError) as error:
        raise SettingError(f"is no sound glTF ({str(error).splitlines()[0]}); export it again") from None


def check(tree: dict[str, Any], *, limit: int, triangles: int) -> None:
    """Raises SettingError: compressed in a way that can't be read here, or larger inside than limit (bytes) allows."""
    required = tree.get("extensionsRequired", [])
    for name in UNREADABLE:
        if name in required:
            raise SettingError(f"needs {name}, which can't be read; export it without")
    if DRACO in [*required, *tree.get("extensionsUsed", [])] and not find_spec("DracoPy"):
        raise SettingError(f"needs {DRACO}; pip install DracoPy, or export it without compression")
    try:
        sizes = [ITEMS[one["type"]] * BYTES[one["componentType"]] * one["count"] for one in tree.get("accessors", [])]
        negative = any(size < 0 for size in sizes)
        shown = _triangles(tree)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise SettingError(f"is no sound glTF ({type(error).__name__}: {error}); export it again") from None
    if negative or sum(sizes) > ROOM * limit:
        raise SettingError(f"asks for arrays of {sum(sizes) / 2**20:,.0f} MB; set env.max_mb higher if that is meant")
    if shown > triangles:
        raise SettingError(f"shows {shown:,} triangles, over env.max_triangles={triangles:,}; set that higher")


def colors_are_srgb(tree: dict[str, Any]) -> bool:
    """Whether the file holds colour factors as sRGB, and not in linear light as the standard wants it."""
    return str(tree.get("asset", {}).get("generator", "")).startswith(OF_SRGB)


def _triangles(tree: dict[str, Any]) -> int:
    """How many triangles all nodes show together. Raises SettingError: nodes that are no tree."""
    nodes, meshes = tree.get("nodes", []), tree.get("meshes", [])
    parents: dict[int, int] = {}
    for number, node in enumerate(nodes):
        for child in node.get("children", []):
            if child in parents or not 0 <= child < len(nodes):
                raise SettingError("has nodes that are no tree; export it again")
            parents[child] = number
    if len(nodes) > NODES or _has_cycle(parents, len(nodes)):
        raise SettingError(f"has nodes that are no tree, or over {NODES:,}; export it again")
    counts = [sum(_count(tree, part) for part in mesh["primitives"]) for mesh in meshes]
    return sum(counts[node["mesh"]] for node in nodes if "mesh" in node) // 3


def _count(tree: dict[str, Any], part: dict[str, Any]) -> int:
    number = part.get("indices", part["attributes"].get("POSITION"))
    return 0 if number is None else int(tree["accessors"][number]["count"])


def _has_cycle(parents: dict[int, int], count: int) -> bool:
    """Whether any node is its own ancestor; each has one parent at most."""
    rooted: set[int] = set()
    for node in range(count):
        path: set[int] = set()
        while node in parents and node not in rooted:
            if node in path:
                return True
            path.add(node)
            node = parents[node]
        rooted |= path
    return False
