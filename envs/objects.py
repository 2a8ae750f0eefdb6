"""Objects: solids assembled from geons, one instance for every (category, instance) number.

An object's frame has y up and z towards its front. Its parts are unit solids (a sphere, a cube with half-width 1, a
cylinder of radius 1 and half-height 1, ...) stretched, turned and moved into place; see `envs.render` for how a ray
meets them. What a category looks like is in `envs.categories`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envs.draws import Draws, key

KINDS = {"ellipsoid": 0, "box": 1, "frustum": 2, "dome": 3}
MAX_PARTS = 10
PALETTE = 3  # colours an instance has
PROJECTED_AREA = 2.2  # mean silhouette of every object, in squared object units: size must not tell the category
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
    """Builds the objects of rows (category (M,), instance (M,)); the same two numbers give the same object for ever."""
    keys = key("object", category, instance)
    out = _empty(len(category))
    for index in np.unique(category):
        rows = np.flatnonzero(category == index)
        draws = Draws(keys[rows])
        _place(out, rows, categories[index](draws))
        colors = palette(draws)  # (m, PALETTE, 3)
        slots = [part.color for part in categories[index](draws)]
        out.color[rows, : len(slots)] = colors[:, slots]
    _normalise(out)
    _cover(out, Draws(keys))
    return out


def palette(draws: Draws) -> np.ndarray:
    """(M, PALETTE, 3) linear RGB drawn without regard to category: hue, saturation and value all uniform."""
    hue = draws.uniform("hue", 0, 1, PALETTE)[..., None]
    saturation = draws.uniform("saturation", 0.15, 0.85, PALETTE)[..., None]
    value = draws.uniform("value", 0.3, 0.95, PALETTE)[..., None]
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


def _place(out: Objects, rows: np.ndarray, parts: list[Part]) -> None:
    assert len(parts) <= MAX_PARTS, f"{len(parts)} parts, but the renderer has room for {MAX_PARTS}"
    for index, part in enumerate(parts):
        half = _columns(part.half, len(rows))  # (m, 3)
        out.kind[rows, index] = KINDS[part.kind]
        out.inverse[rows, index] = np.swapaxes(_turned(part.turn, len(rows)), 1, 2) / half[:, :, None]
        out.centre[rows, index] = _columns(part.at, len(rows))
        out.radius[rows, index] = _reach(part.kind, half) * np.broadcast_to(part.present, len(rows))
        out.taper[rows, index] = _columns(part.taper, len(rows))


def _reach(kind: str, half: np.ndarray) -> np.ndarray:
    """(m,) radius of the smallest sphere about a part's origin that holds it."""
    if kind == "box":
        return np.linalg.norm(half, axis=1)
    if kind == "frustum":
        return np.hypot(half[:, [0, 2]].max(1), half[:, 1])
    return half.max(1)


def _normalise(out: Objects) -> None:
    """Centres every object and gives all the same mean silhouette, so that neither place nor size tells the category.

    The mean silhouette of a convex solid is a quarter of its surface (Cauchy). An ellipsoid's surface is close to
    Thomsen's formula; the other solids are taken for ellipsoids, which is close enough for a size.
    """
    there = out.radius > 0
    half = np.where(there[..., None], 1 / np.linalg.norm(out.inverse, axis=3), 1e-9)  # (M, P, 3)
    x, y, z = np.moveaxis(half**1.6075, 2, 0)
    surface = 4 * np.pi * ((x * y + x * z + y * z) / 3) ** (1 / 1.6075) * there  # (M, P)
    middle = (surface[..., None] * out.centre).sum(1) / surface.sum(1)[:, None]
    out.centre -= middle[:, None]
    reach = ((np.linalg.norm(out.centre, axis=2) + out.radius) * there).max(1)
    scale = np.minimum(np.sqrt(PROJECTED_AREA / (surface.sum(1) / 4)), MAX_RADIUS / reach)  # (M,)
    out.centre *= scale[:, None, None]
    out.radius *= scale[:, None]
    out.inverse /= scale[:, None, None, None]
    out.bound[:] = reach * scale


def _cover(out: Objects, draws: Draws) -> None:
    """Material and texture: of the instance, never of the category."""
    out.gloss[:, 0] = draws.uniform("gloss", 0, 0.6)
    out.gloss[:, 1] = draws.log_uniform("shininess", 6, 60)
    out.texture[:, 0] = draws.integers("texture", 4)  # plain, stripes, checker, noise
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
