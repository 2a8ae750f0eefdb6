"""Closed-form rays against bounded convex solids.

Every part is a unit solid under a linear map, so a ray is met in the part's own frame, where the solid is the
intersection of a quadric (or nothing) with pairs of parallel or tilted planes, and the ray's stay inside is one
interval.
"""

import warp as wp

from envs.rendering.textures import grain
from envs.rendering.tracer import tracer
from envs.rendering.world import NEAR, NOTHING, Hit, Surface, World, misses


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
def surface(world: wp.array1d(dtype=World), n: int, hit: Hit, direction: wp.vec3) -> Surface:
    """The surface that a ray from the eye has met."""
    out = Surface()
    texture = world[0].texture[n, hit.body]
    p = world[0].upright[n, hit.body] * (hit.t * direction - world[0].place[n, hit.body])
    out.albedo = world[0].color[n, hit.body, hit.part] * (
        1.0 - texture[2] * grain(int(texture[0]), p, texture[1], texture[3])
    )
    out.gloss = world[0].gloss[n, hit.body]
    out.normal = hit.normal
    return out


draw, ground_truth_kernel = tracer(nearest, shaded, surface, module=__name__)
