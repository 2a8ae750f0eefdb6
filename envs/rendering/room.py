"""The room around the objects: its floor and its wall."""

import warp as wp

from envs.rendering.textures import grain
from envs.rendering.world import World
from envs.scene.motion import HALF_VIEW


@wp.func
def texel(world: wp.array1d(dtype=World), which: int, row: int, column: int) -> wp.vec3:
    """Linear RGB of one pixel of a picture, which is mirrored at its edges without end."""
    height = world[0].pictures.shape[1]
    width = world[0].pictures.shape[2]
    y = row - (2 * height) * int(wp.floor(float(row) / float(2 * height)))
    x = column - (2 * width) * int(wp.floor(float(column) / float(2 * width)))
    y = wp.min(y, 2 * height - 1 - y)
    x = wp.min(x, 2 * width - 1 - x)
    r = float(world[0].pictures[which, y, x, 0]) / 255.0
    g = float(world[0].pictures[which, y, x, 1]) / 255.0
    b = float(world[0].pictures[which, y, x, 2]) / 255.0
    return wp.vec3(r * r, g * g, b * b)


@wp.func
def wallpaper(world: wp.array1d(dtype=World), n: int, p: wp.vec3) -> wp.vec3:
    """Linear RGB of a picture on the wall, as high as the view, unfolded onto the floor; bilinear between pixels."""
    which = int(world[0].background_grain[n][1] * (1.0 / 64.0) * float(world[0].pictures.shape[0]))
    wall = world[0].room[n][1]
    height = world[0].pictures.shape[1]
    scale = float(height) / (2.0 * HALF_VIEW * wall)
    column = scale * (p[0] + world[0].slide[n][0]) + 0.5 * float(world[0].pictures.shape[2]) - 0.5
    row = 0.5 * float(height) - scale * (p[1] + world[0].slide[n][1] - (p[2] + wall)) - 0.5
    x = int(wp.floor(column))
    y = int(wp.floor(row))
    s = column - float(x)
    t = row - float(y)
    upper = texel(world, which, y, x) * (1.0 - s) + texel(world, which, y, x + 1) * s
    lower = texel(world, which, y + 1, x) * (1.0 - s) + texel(world, which, y + 1, x + 1) * s
    return upper * (1.0 - t) + lower * t


@wp.func
def room_albedo(world: wp.array1d(dtype=World), n: int, p: wp.vec3, film_y: float) -> wp.vec3:
    """The albedo of the room at a point: plain, gradient, checker, noise or a picture."""
    kind = world[0].background_kind[n]
    if kind == 4:
        return wallpaper(world, n, p)
    share = 0.0
    if kind == 1:
        share = wp.clamp(0.5 + 0.5 * film_y / HALF_VIEW, 0.0, 1.0)
    elif kind > 1:
        slide = world[0].slide[n]
        share = grain(
            kind, p + wp.vec3(slide[0], slide[1], 0.0), world[0].background_grain[n][0], world[0].background_grain[n][1]
        )
    return world[0].background_color[n, 0] * (1.0 - share) + world[0].background_color[n, 1] * share
