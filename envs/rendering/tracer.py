"""A ray tracer: closed-form rays against bounded convex solids, all worlds at once, in one Warp kernel.

The eye is at the origin and looks towards -z; y is up. A ray through the film point (x, y) runs along (x, y, -1). Every
part is a unit solid under a linear map, so a ray is met in the part's own frame, where the solid is the intersection of
a quadric (or nothing) with pairs of parallel or tilted planes, and the ray's stay inside is one interval.

Colour is linear RGB until the last line: albedo x (ambient + sum of visible lights x cosine) + highlight (Blinn 1977),
clipped to [0, 1], encoded by a square root, rounded to uint8.
"""

import os

import torch
import warp as wp

from envs.scene.motion import HALF_VIEW


def _start_warp() -> None:
    """Initialises Warp without its banner and, where there is no GPU, without the warning that its C code prints."""
    wp.config.log_level = wp.LOG_WARNING
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        if not torch.cuda.is_available():
            os.dup2(nowhere, 2)
        wp.init()
    except OSError as error:
        what = (
            f"{error.strerror}, and Warp keeps its kernels there; set WARP_CACHE_PATH to a folder that can be written"
        )
        raise OSError(error.errno, what, error.filename) from error
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


_start_warp()
torch.set_flush_denormal(True)  # fading highlights make denormals, and a CPU takes a hundred times as long over them

NOTHING = wp.constant(1.0e9)
NEAR = wp.constant(1.0e-3)


@wp.struct
class World:
    """The kernel's view of a Scene and a Snapshot: arrays with a leading world axis.

    Kernels and functions take it as an array of one: a struct is handed on by value, and copying these 1.5 KB at every
    call took a third of a frame's time.
    """

    kind: wp.array3d(dtype=wp.int32)  # (N, O, P)
    inverse: wp.array3d(dtype=wp.mat33)  # (N, O, P) from the eye's frame to the part's unit solid
    centre: wp.array3d(dtype=wp.vec3)  # (N, O, P) in the eye's frame
    radius: wp.array3d(dtype=wp.float32)
    taper: wp.array3d(dtype=wp.vec2)
    color: wp.array3d(dtype=wp.vec3)
    place: wp.array2d(dtype=wp.vec3)  # (N, O)
    upright: wp.array2d(dtype=wp.mat33)  # (N, O) from the eye's frame to the object's
    bound: wp.array2d(dtype=wp.float32)
    gloss: wp.array2d(dtype=wp.vec2)
    texture: wp.array2d(dtype=wp.vec4)
    light_direction: wp.array2d(dtype=wp.vec3)  # (N, L)
    light_color: wp.array2d(dtype=wp.vec3)
    ambient: wp.array1d(dtype=wp.vec3)  # (N,)
    room: wp.array1d(dtype=wp.vec2)
    background_kind: wp.array1d(dtype=wp.int32)
    background_color: wp.array2d(dtype=wp.vec3)  # (N, 2)
    background_grain: wp.array1d(dtype=wp.vec2)
    pictures: wp.array4d(dtype=wp.uint8)  # (M, h, w, 3)
    slide: wp.array1d(dtype=wp.vec2)
    gaze: wp.array1d(dtype=wp.vec2)


ELEMENTS: dict[str, type] = {name: field.type.dtype for name, field in World.vars.items()}  # of its arrays


@wp.struct
class Span:
    """Where a ray is inside something: from enter to leave, with the outward normal at the entry."""

    enter: wp.float32
    leave: wp.float32
    normal: wp.vec3


@wp.func
def outside() -> Span:
    """The empty span of a ray that meets nothing."""
    span = Span()
    span.enter = NOTHING
    span.leave = -NOTHING
    return span


@wp.func
def cut(span: Span, origin: wp.vec3, direction: wp.vec3, normal: wp.vec3, offset: float) -> Span:
    """Keeps the part of the span in the half-space normal . p <= offset."""
    out = span
    height = wp.dot(normal, origin) - offset
    slope = wp.dot(normal, direction)
    if wp.abs(slope) < 1.0e-9:
        if height > 0.0:
            out.leave = -NOTHING
    else:
        t = -height / slope
        if slope < 0.0:
            if t > out.enter:
                out.enter = t
                out.normal = normal
        else:
            out.leave = wp.min(out.leave, t)
    return out


@wp.func
def quadric(origin: wp.vec3, direction: wp.vec3, curve: wp.vec3, width: float, slope: float) -> Span:
    """Inside curve.x x^2 + curve.y y^2 + curve.z z^2 <= (width + slope y)^2: a sphere, a cylinder or a cone."""
    w = width + slope * origin[1]
    dw = slope * direction[1]
    a = wp.dot(curve, wp.cw_mul(direction, direction)) - dw * dw
    b = wp.dot(curve, wp.cw_mul(origin, direction)) - w * dw
    c = wp.dot(curve, wp.cw_mul(origin, origin)) - w * w
    span = outside()
    disc = b * b - a * c
    if disc > 0.0 and wp.abs(a) > 1.0e-9:
        root = wp.sqrt(disc)
        if a > 0.0:
            span.enter = (-b - root) / a
            span.leave = (-b + root) / a
        else:  # inside a double cone along its length: outside between the roots; the caps pick the right side
            first = (-b + root) / a
            second = (-b - root) / a
            if width + slope * (origin[1] + second * direction[1]) > 0.0 and (slope * direction[1] > 0.0):
                span.enter = second
                span.leave = NOTHING
            else:
                span.enter = -NOTHING
                span.leave = first
        p = origin + span.enter * direction
        span.normal = wp.cw_mul(curve, p) - wp.vec3(0.0, slope * (width + slope * p[1]), 0.0)
    return span


@wp.func
def inside(kind: int, taper: wp.vec2, origin: wp.vec3, direction: wp.vec3) -> Span:
    """The span of a ray inside one of envs.scene.objects.KINDS, in the unit solid's own frame."""
    up = wp.vec3(0.0, 1.0, 0.0)
    span = Span()
    span.enter = -NOTHING
    span.leave = NOTHING
    if kind == 1:
        kx = 0.5 * taper[0]
        kz = 0.5 * taper[1]
        span = cut(span, origin, direction, wp.vec3(1.0, kx, 0.0), 1.0 - kx)
        span = cut(span, origin, direction, wp.vec3(-1.0, kx, 0.0), 1.0 - kx)
        span = cut(span, origin, direction, wp.vec3(0.0, kz, 1.0), 1.0 - kz)
        span = cut(span, origin, direction, wp.vec3(0.0, kz, -1.0), 1.0 - kz)
    elif kind == 2:
        k = 0.5 * taper[0]
        span = quadric(origin, direction, wp.vec3(1.0, 0.0, 1.0), 1.0 - k, -k)
    else:
        span = quadric(origin, direction, wp.vec3(1.0, 1.0, 1.0), 1.0, 0.0)
    if kind == 1 or kind == 2:
        span = cut(span, origin, direction, up, 1.0)
        span = cut(span, origin, direction, -up, 1.0)
    if kind == 3:
        span = cut(span, origin, direction, -up, 0.0)
    return span


@wp.func
def misses(origin: wp.vec3, direction: wp.vec3, centre: wp.vec3, radius: float) -> bool:
    """Whether the ray (of any length) stays clear of a sphere, or the sphere lies behind it."""
    to = centre - origin
    along = wp.dot(to, direction)
    aside = wp.dot(to, to) * wp.dot(direction, direction) - along * along
    reach = radius * radius * wp.dot(direction, direction)
    return aside > reach or (along < 0.0 and wp.dot(to, to) > radius * radius)


@wp.struct
class Hit:
    """The nearest thing a ray meets: how far along, which object and part (-1 for none), and its unit normal."""

    t: wp.float32
    body: wp.int32
    part: wp.int32
    normal: wp.vec3


@wp.func
def nearest(world: wp.array1d(dtype=World), n: int, origin: wp.vec3, direction: wp.vec3) -> Hit:
    """The nearest thing that a ray meets in world n."""
    hit = Hit()
    hit.t = NOTHING
    hit.body = -1
    hit.part = -1
    for o in range(world[0].kind.shape[1]):
        if not misses(origin, direction, world[0].place[n, o], world[0].bound[n, o]):
            for p in range(world[0].kind.shape[2]):
                radius = world[0].radius[n, o, p]
                if radius > 0.0 and not misses(origin, direction, world[0].centre[n, o, p], radius):
                    inverse = world[0].inverse[n, o, p]
                    start = inverse * (origin - world[0].centre[n, o, p])
                    span = inside(world[0].kind[n, o, p], world[0].taper[n, o, p], start, inverse * direction)
                    if span.enter < span.leave and span.enter > NEAR and span.enter < hit.t:
                        hit.t = span.enter
                        hit.body = o
                        hit.part = p
                        hit.normal = wp.normalize(wp.transpose(inverse) * span.normal)
    return hit


@wp.func
def shaded(world: wp.array1d(dtype=World), n: int, origin: wp.vec3, direction: wp.vec3) -> bool:
    """Whether anything stands between a point and a light."""
    for o in range(world[0].kind.shape[1]):
        if not misses(origin, direction, world[0].place[n, o], world[0].bound[n, o]):
            for p in range(world[0].kind.shape[2]):
                radius = world[0].radius[n, o, p]
                if radius > 0.0 and not misses(origin, direction, world[0].centre[n, o, p], radius):
                    inverse = world[0].inverse[n, o, p]
                    start = inverse * (origin - world[0].centre[n, o, p])
                    span = inside(world[0].kind[n, o, p], world[0].taper[n, o, p], start, inverse * direction)
                    if span.enter < span.leave and span.leave > NEAR:
                        return True
    return False


@wp.func
def fraction(x: float) -> float:
    """x - floor(x), also for negative x, whose sign Warp's own frac keeps."""
    return x - wp.floor(x)


@wp.func
def grain(kind: int, p: wp.vec3, cycles: float, seed: float) -> float:
    """A solid texture in [0, 1] at a point: 0 plain, 1 stripes, 2 checker, 3 noise."""
    value = 0.0
    q = p * cycles
    if kind == 1:
        value = wp.where(fraction(q[1] + 0.5 * fraction(seed * 0.618)) < 0.5, 1.0, 0.0)
    elif kind == 2:
        value = wp.where(
            fraction(0.5 * (wp.floor(2.0 * q[0]) + wp.floor(2.0 * q[1]) + wp.floor(2.0 * q[2]))) < 0.25, 0.0, 1.0
        )
    elif kind == 3:
        shift = wp.vec3(fraction(seed * 0.618), fraction(seed * 0.755), fraction(seed * 0.570)) * 64.0
        value = wp.clamp(0.5 + 0.9 * wp.noise(wp.uint32(7), 2.0 * q + shift), 0.0, 1.0)
    return value


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


@wp.func
def radiance(world: wp.array1d(dtype=World), n: int, direction: wp.vec3, shadows: bool) -> wp.vec3:
    """Linear RGB along a ray from the eye."""
    eye = wp.vec3(0.0, 0.0, 0.0)
    hit = nearest(world, n, eye, direction)
    t = hit.t
    normal = hit.normal
    albedo = wp.vec3(0.0, 0.0, 0.0)
    gloss = wp.vec2(0.0, 1.0)
    if hit.body >= 0:
        texture = world[0].texture[n, hit.body]
        p = world[0].upright[n, hit.body] * (t * direction - world[0].place[n, hit.body])
        albedo = world[0].color[n, hit.body, hit.part] * (
            1.0 - texture[2] * grain(int(texture[0]), p, texture[1], texture[3])
        )
        gloss = world[0].gloss[n, hit.body]
    else:
        room = world[0].room[n]
        t = room[1]
        normal = wp.vec3(0.0, 0.0, 1.0)
        if direction[1] < 0.0 and room[0] / direction[1] < t:
            t = room[0] / direction[1]
            normal = wp.vec3(0.0, 1.0, 0.0)
        albedo = room_albedo(world, n, t * direction, direction[1])
    point = t * direction + 2.0e-3 * normal
    back = -wp.normalize(direction)
    light = wp.cw_mul(albedo, world[0].ambient[n])
    for lamp in range(world[0].light_direction.shape[1]):
        to = world[0].light_direction[n, lamp]
        cosine = wp.dot(normal, to)
        if cosine > 0.0 and not (shadows and shaded(world, n, point, to)):
            shine = 0.0
            if gloss[0] > 0.0:
                half = wp.dot(normal, wp.normalize(to + back))
                shine = gloss[0] * wp.pow(wp.max(half, 0.0), gloss[1])
            light += wp.cw_mul(world[0].light_color[n, lamp], albedo * cosine + wp.vec3(shine, shine, shine))
    return light


@wp.kernel(enable_backward=False)
def draw(world: wp.array1d(dtype=World), first: int, shadows: bool, samples: int, image: wp.array4d(dtype=wp.uint8)):
    """Renders one pixel of one world a thread into image (N, H, W, 3)."""
    i, row, column = wp.tid()
    n = first + i
    gaze = world[0].gaze[n]
    total = wp.vec3(0.0, 0.0, 0.0)
    for sy in range(samples):
        for sx in range(samples):
            x = 2.0 * (float(column) + (float(sx) + 0.5) / float(samples)) / float(image.shape[2]) - 1.0
            y = 1.0 - 2.0 * (float(row) + (float(sy) + 0.5) / float(samples)) / float(image.shape[1])
            light = radiance(world, n, wp.vec3(HALF_VIEW * (x + gaze[0]), HALF_VIEW * (y + gaze[1]), -1.0), shadows)
            total += wp.vec3(
                wp.sqrt(wp.min(light[0], 1.0)), wp.sqrt(wp.min(light[1], 1.0)), wp.sqrt(wp.min(light[2], 1.0))
            )
    for c in range(3):
        image[n, row, column, c] = wp.uint8(total[c] * (255.0 / float(samples * samples)) + 0.5)


@wp.kernel(enable_backward=False)
def ground_truth_kernel(
    world: wp.array1d(dtype=World),
    mask: wp.array3d(dtype=wp.uint8),
    depth: wp.array3d(dtype=wp.float32),
    normals: wp.array4d(dtype=wp.float32),
):
    """Ground truth at the middle of each pixel: which object, how far along -z, and its normal."""
    n, row, column = wp.tid()
    gaze = world[0].gaze[n]
    x = 2.0 * (float(column) + 0.5) / float(mask.shape[2]) - 1.0
    y = 1.0 - 2.0 * (float(row) + 0.5) / float(mask.shape[1])
    hit = nearest(world, n, wp.vec3(0.0, 0.0, 0.0), wp.vec3(HALF_VIEW * (x + gaze[0]), HALF_VIEW * (y + gaze[1]), -1.0))
    mask[n, row, column] = wp.uint8(hit.body + 1)
    depth[n, row, column] = wp.where(hit.body >= 0, hit.t, wp.inf)
    for c in range(3):
        normals[n, row, column, c] = hit.normal[c]
