"""Objects: solids assembled from geons, one instance for every (category, instance) number.

An object's frame has y up and z towards its front. Its parts are unit solids (a sphere, a cube with half-width 1, a
cylinder of radius 1 and half-height 1, ...) stretched, turned and moved into place. How a ray meets them is in
`envs.rendering.tracer`, what a category looks like in `envs.scene.categories`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envs.scene.random import Draws, key

KINDS = {"ellipsoid": 0, "box": 1, "frustum": 2, "dome": 3}
MAX_PARTS = 10
PALETTE = 3  # colours an instance has
SATURATION, VALUE = (0.4, 1.0), (0.4, 1.0)  # of those colours
TEXTURED = 0.75  # share of instances whose surface is not plain
PROJECTED_AREA = 2.2  # mean silhouette of every object, in squared object units: size must not tell the category
SHOWN = 0.74  # of the parts' silhouettes, added up, how much of an object's is left: they hide each other
MAX_RADIUS = 1.7  # no object reaches further from its centre, in object units

Number = float | np.ndarray  # one for all instances, or (M,), one for each


class Part(NamedTuple):
    """One geon, for M instances at once."""

    name: str
    kind: str  # a key of KINDS: ellipsoid, box, frustum (cylinder to cone), dome (the half of an ellipsoid with y > 0)
    half: tuple[Number, Number, Number]  # half-extents along the part's own x, y, z, before it is turned
    at: tuple[Number, Number, Number]  # centre in the object's frame
    turn: tuple[Number, Number, Number] = (0.0, 0.0, 0.0)  # degrees about x, then y, then z
    taper: tuple[Number, Number] = (0.0, 0.0)  # how much x and z shrink towards the top: 0 not at all, 1 to nothing
    color: int = 0  # which of the instance's colours
    present: Number = 1.0  # 0 where an instance lacks the part


Category = Callable[[Draws], list[Part]]


@dataclass
class Objects:
    """M assembled objects in their own frames. P is MAX_PARTS; parts that are missing have radius 0."""

    kind: np.ndarray  # (M, P) int32
    inverse: np.ndarray  # (M, P, 3, 3) from the object's frame to the part's unit solid
    centre: np.ndarray  # (M, P, 3)
    radius: np.ndarray  # (M, P) of a sphere around the part
    taper: np.ndarray  # (M, P, 2)
    color: np.ndarray  # (M, P, 3) linear RGB
    bound: np.ndarray  # (M,) radius of a sphere around everything
    gloss: np.ndarray  # (M, 2) strength and exponent of the highlight
    texture: np.ndarray  # (M, 4) kind, cycles per object unit, contrast, seed


def assemble(categories: list[Category], category: np.ndarray, instance: np.ndarray) -> Objects:
    """Builds the objects of categories (M,) and instances (M,); the same two numbers always give the same object."""
    keys = key("object", category, instance)
    out = _empty(len(category))
    for index in np.unique(category):
        rows = np.flatnonzero(category == index)
        draws = Draws(keys[rows])
        _place(out, rows, categories[index](draws), palette(draws))
    _normalise(out)
    _cover(out, Draws(keys))
    return out


def palette(draws: Draws) -> np.ndarray:
    """(M, PALETTE, 3) linear RGB drawn without regard to category: hue, saturation and value all uniform."""
    hue = draws.uniform("hue", 0, 1, PALETTE)[..., None]
    saturation = draws.uniform("saturation", *SATURATION, PALETTE)[..., None]
    value = draws.uniform("value", *VALUE, PALETTE)[..., None]
    wheel = np.abs((hue + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1  # the colour wheel (Smith 1978)
    return (value * (1 - saturation + saturation * np.clip(wheel, 0, 1))) ** 2


def _empty(rows: int) -> Objects:
    parts = (rows, MAX_PARTS)
    return Objects(
        kind=np.zeros(parts, np.int32),
        inverse=np.tile(np.eye(3), (*parts, 1, 1)),
        centre=np.zeros((*parts, 3)),
        radius=np.zeros(parts),
        taper=np.zeros((*parts, 2)),
        color=np.zeros((*parts, 3)),
        bound=np.zeros(rows),
        gloss=np.zeros((rows, 2)),
        texture=np.zeros((rows, 4)),
    )


def _place(out: Objects, rows: np.ndarray, parts: list[Part], colors: np.ndarray) -> None:
    """Puts the parts of objects with colours (m, PALETTE, 3) into rows (m,)."""
    assert len(parts) <= MAX_PARTS, f"{len(parts)} parts, but the renderer has room for {MAX_PARTS}"
    for index, part in enumerate(parts):
        half = _columns(part.half, len(rows))  # (m, 3)
        out.kind[rows, index] = KINDS[part.kind]
        out.inverse[rows, index] = np.swapaxes(_turned(part.turn, len(rows)), 1, 2) / half[:, :, None]
        out.centre[rows, index] = _columns(part.at, len(rows))
        out.taper[rows, index] = _columns(part.taper, len(rows))
        reach = _reach(part.kind, half, out.taper[rows, index])
        out.radius[rows, index] = reach * np.broadcast_to(part.present, len(rows))
        out.color[rows, index] = colors[:, part.color]


def _reach(kind: str, half: np.ndarray, taper: np.ndarray) -> np.ndarray:
    """(m,) radius of a sphere about a part's origin that holds it, its top included where that flares outward."""
    if kind in ("ellipsoid", "dome"):
        return half.max(1)
    top = 1 - (taper if kind == "box" else taper[:, [0, 0]])
    x, z = (half[:, [0, 2]] * np.maximum(1, top)).T
    return np.hypot(half[:, 1], np.hypot(x, z) if kind == "box" else np.maximum(x, z))


def _surface(kind: np.ndarray, half: np.ndarray, taper: np.ndarray) -> np.ndarray:
    """(M, P) surface of solids with half-extents (M, P, 3): exact for boxes, Thomsen's formula for ellipsoids."""
    x, y, z = np.moveaxis(half, 2, 0)
    kx, kz = np.moveaxis(taper, 2, 0)
    a, b, c = np.moveaxis(half**1.6075, 2, 0)
    ellipsoid = 4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / 1.6075)
    sides = z * (2 - kz) * np.hypot(y, x * kx / 2) + x * (2 - kx) * np.hypot(y, z * kz / 2)
    box = 4 * (sides + x * z * (1 + (1 - kx) * (1 - kz)))
    round_ = (x + z) / 2  # an elliptic frustum is taken for a circular one
    frustum = np.pi * (x * z * (1 + (1 - kx) ** 2) + round_ * (2 - kx) * np.hypot(2 * y, round_ * kx))
    return np.choose(kind, [ellipsoid, box, frustum, ellipsoid / 2 + np.pi * x * z])


def _normalise(out: Objects) -> None:
    """Centres all objects and scales them to one mean silhouette, so that neither place nor size reveals the category.

    The mean silhouette of a convex solid is a quarter of its surface (Cauchy). An object's is taken to be a fixed share
    of that of its parts, as though all hid each other equally.
    """
    there = out.radius > 0
    half = np.where(there[..., None], 1 / np.linalg.norm(out.inverse, axis=3), 1e-9)  # (M, P, 3)
    surface = _surface(out.kind, half, out.taper) * there  # (M, P)
    middle = (surface[..., None] * out.centre).sum(1) / surface.sum(1)[:, None]
    out.centre -= middle[:, None]
    reach = ((np.linalg.norm(out.centre, axis=2) + out.radius) * there).max(1)
    scale = np.minimum(np.sqrt(PROJECTED_AREA / (SHOWN * surface.sum(1) / 4)), MAX_RADIUS / reach)  # (M,)
    out.centre *= scale[:, None, None]
    out.radius *= scale[:, None]
    out.inverse /= scale[:, None, None, None]
    out.bound[:] = reach * scale


def _cover(out: Objects, draws: Draws) -> None:
    """Draws material and texture of each instance, whatever its category."""
    out.gloss[:, 0] = draws.uniform("gloss", 0, 0.6)
    out.gloss[:, 1] = draws.log_uniform("shininess", 6, 60)
    out.texture[:, 0] = (1 + draws.integers("texture", 3)) * draws.chance("textured", TEXTURED)
    out.texture[:, 1] = draws.log_uniform("cycles", 1.0, 3.0)
    out.texture[:, 2] = draws.uniform("contrast", 0.2, 0.6)
    out.texture[:, 3] = draws.integers("grain", 1 << 20)


def _columns(values: tuple[Number, ...], rows: int) -> np.ndarray:
    return np.stack([np.broadcast_to(value, rows).astype(float) for value in values], 1)


def _turned(degrees: tuple[Number, Number, Number], rows: int) -> np.ndarray:
    """(m, 3, 3) rotation about x, then y, then z."""
    out = np.tile(np.eye(3), (rows, 1, 1))
    for axis, angle in enumerate(np.radians(_columns(degrees, rows)).T):
        turn = np.tile(np.eye(3), (rows, 1, 1))
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[:, i, i] = turn[:, j, j] = np.cos(angle)
        turn[:, j, i], turn[:, i, j] = np.sin(angle), -np.sin(angle)
        out = turn @ out
    return out
