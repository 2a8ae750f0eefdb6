"""Reads a mesh file by trimesh: every part of it where its nodes put it, with the colours that a viewer would show."""

import logging
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import SettingError
from envs.meshes import gltf
from envs.meshes.files import Beside
from envs.meshes.mesh import PER_TRIANGLE, Mesh

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")
GREY = 0.75  # of what has no colour, as sRGB stores it
TEXTURE = 1024  # pixels along an edge, to which larger ones are brought down
PIXELS = 1 << 26  # of an image, at most
IMAGES = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF")  # formats that Pillow decodes itself
CUT_OUT = 0.5  # alpha, where a file says that parts are transparent but not from which value on


def read(file: Path, data: bytes, beside: Beside, *, limit: int, triangles: int) -> Mesh:
    """All triangles of a file with these bytes, in the file's own units and axes; normals are NaN where it has none.

    Raises SettingError, whose message goes on after the file's name: what it lacks, and the way out.
    """
    suffix, srgb = file.suffix.lower(), True
    if not data:
        raise SettingError("is empty; export it again")
    if suffix in (".glb", ".gltf"):
        tree = gltf.header(data, suffix)
        gltf.check(tree, limit=limit, triangles=triangles)
        srgb = gltf.colors_are_srgb(tree)
    scene = _scene(data, suffix, beside)
    shown = list(_shown(scene))
    count = sum(len(part.faces) for part, _ in shown)
    if not count:
        points = sum(len(part.vertices) for part in scene.geometry.values())
        what = f"no faces, {points:,} points only" if points else "no faces"
        raise SettingError(f"has {what}; export it as triangles")
    if count > triangles:
        raise SettingError(f"shows {count:,} triangles, over env.max_triangles={triangles:,}; set that higher")
    images = Images()
    parts = [_part(part, transform, images, srgb=srgb) for part, transform in shown]
    joined: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in PER_TRIANGLE}
    notes = [f"{name} {reason}" for name, reason in beside.missing.items()] + images.notes
    return Mesh(**joined, textures=images.arrays, cutoff=np.array(images.cutoff, np.float32), notes=notes)


class Images:
    """The textures that parts name, each once."""

    def __init__(self):
        self.arrays: list[np.ndarray] = []  # (h, w, 4) uint8
        self.cutoff: list[float] = []
        self.notes: list[str] = []
        self._numbers: dict[tuple[int, float], int] = {}
        self._kept: list[Any] = []  # or the next image might get the same id

    def number(self, image: Any, cutoff: float) -> int:
        """The number of an image of Pillow's; -1 where it can't be decoded, which is noted."""
        key = id(image), cutoff
        if key not in self._numbers:
            self._kept.append(image)
            pixels = self._pixels(image)
            self._numbers[key] = -1 if pixels is None else len(self.arrays)
            if pixels is not None:
                self.arrays.append(pixels)
                self.cutoff.append(cutoff if (pixels[..., 3] < 255).any() else 0.0)
        return self._numbers[key]

    def _pixels(self, image: Any) -> np.ndarray | None:
        if image.format is None:  # of no file: trimesh makes one up for a material that isn't there
            return None
        try:
            if image.format not in IMAGES or image.width * image.height > PIXELS:
                raise ValueError(f"{image.format}, {image.width}x{image.height}")
            shrink = max(image.width, image.height) / TEXTURE
            shown = image.convert("RGBA")
            if shrink > 1:
                shown = shown.resize([max(1, round(side / shrink)) for side in shown.size])
            return np.array(shown, np.uint8)
        except Exception as error:  # of a torn image each plugin raises what it likes
            self.notes.append(f"a texture that can't be read is left out ({str(error).splitlines()[0][:80]})")
            return None


def _scene(data: bytes, suffix: str, beside: Beside) -> Any:
    """The file as trimesh's scene; whatever it raises for a broken one becomes a SettingError."""
    try:
        import trimesh
    except ImportError:
        raise SettingError("needs trimesh; pip install 'contiguity[mesh]'") from None
    logging.getLogger("trimesh").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            resolver: Any = beside
            return trimesh.load_scene(BytesIO(data), file_type=suffix[1:], resolver=resolver, process=False)
    except (MemoryError, SettingError):  # the second of a file that it names
        raise
    except Exception as error:
        lost = [f"{name} {reason}" for name, reason in beside.missing.items()]
        reason = "; ".join(lost) or (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise SettingError(f"can't be read ({reason}); export it again") from None


def _shown(scene: Any) -> Iterator[tuple[Any, np.ndarray]]:
    """The parts that have faces, each with the transform (4, 4) of a node that shows it."""
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        part = scene.geometry[name]
        if getattr(part, "faces", None) is not None and len(part.faces):
            yield part, np.asarray(transform, np.float64)


def _part(part: Any, transform: np.ndarray, images: Images, *, srgb: bool) -> dict[str, np.ndarray]:
    """The fields of a Mesh for one part, moved by its node's transform."""
    faces = np.asarray(part.faces, np.int64)
    if np.linalg.det(transform[:3, :3]) < 0:
        faces = faces[:, ::-1]  # a mirror turns triangles inside out
    with np.errstate(all="ignore"):
        points = np.asarray(part.vertices, np.float64) @ transform[:3, :3].T + transform[:3, 3]
        color, uv, texture = _look(part, faces, images, srgb=srgb)
        return {
            "corners": points[faces],
            "normals": _normals(part, transform)[faces],
            "uv": uv.astype(np.float32),
            "color": color.astype(np.float32),
            "texture": np.full(len(faces), texture, np.int32),
        }


def _normals(part: Any, transform: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals that the file gives its points, NaN where it gives none."""
    known = part._cache.cache  # asked for its normals, trimesh would make some up
    given = known.get("vertex_normals")
    if given is None or np.shape(given) != np.shape(part.vertices) or not np.linalg.det(transform[:3, :3]):
        return np.full(np.shape(part.vertices), np.nan)
    turned = np.asarray(given, np.float64) @ np.linalg.inv(transform[:3, :3])
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)


def _look(part: Any, faces: np.ndarray, images: Images, *, srgb: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Colours (F, 3, 3) as sRGB stores them, texture coordinates (F, 3, 2), and the number of the texture, -1 for none.

    A material's colour, the points' own and the texture are multiplied, as glTF says.
    """
    visual, uv = part.visual, np.zeros((*faces.shape, 2))
    if visual.kind == "vertex":
        return visual.vertex_colors[faces][..., :3] / 255, uv, -1
    if visual.kind == "face":
        color = visual.face_colors if len(visual.face_colors) == len(faces) else np.full((len(faces), 3), 255 * GREY)
        return np.repeat(color[:, None, :3] / 255, 3, 1), uv, -1
    if visual.kind != "texture":
        return np.full((*faces.shape, 3), GREY), uv, -1
    material = visual.material
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    texture = -1
    if image is not None and visual.uv is not None and len(visual.uv) == len(part.vertices):
        texture, uv = images.number(image, _cutoff(material)), np.nan_to_num(np.asarray(visual.uv, np.float64)[faces])
    factor = _factor(material, textured=texture >= 0)
    own = visual.vertex_attributes.get("color") if hasattr(visual, "vertex_attributes") else None
    shade = np.ones((*faces.shape, 3)) if own is None else _as_float(np.asarray(own))[faces][..., :3]
    if srgb:
        return factor * shade, uv, texture
    return to_srgb(factor * shade), uv, texture


def _factor(material: Any, *, textured: bool) -> np.ndarray:
    """(3,) the colour of a material, in [0, 1]."""
    pbr = hasattr(material, "baseColorFactor")
    value = material.baseColorFactor if pbr else getattr(material, "diffuse", None)
    if value is None:
        return np.ones(3)
    color = _as_float(np.asarray(value))[:3]
    return np.ones(3) if textured and not pbr and not color.any() else color  # some exporters write black with a map


def _cutoff(material: Any) -> float:
    """The alpha below which a textured surface is not there; 0 where the file says that alpha means nothing."""
    mode = getattr(material, "alphaMode", None)
    if hasattr(material, "baseColorFactor"):
        if mode == "MASK":
            return float(CUT_OUT if material.alphaCutoff is None else material.alphaCutoff)
        return CUT_OUT if mode == "BLEND" else 0.0
    return CUT_OUT


def _as_float(values: np.ndarray) -> np.ndarray:
    return values / np.iinfo(values.dtype).max if values.dtype.kind in "iu" else values.astype(np.float64)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear values in [0, 1] as sRGB stores them (IEC 61966-2-1)."""
    linear = np.clip(np.nan_to_num(linear), 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
