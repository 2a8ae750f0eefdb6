"""Rays against triangles: Warp's mesh queries find the facet in a tree of bounding boxes, and its corners say the rest.

A mesh is one part of its object: `kind` is its number, `inverse` and `centre` bring a ray into its own frame.
"""

import warp as wp

from envs.rendering.tracer import tracer
from envs.rendering.world import NEAR, NOTHING, Hit, Surface, World, misses

LAYERS = 16  # of cut-out facets that a ray passes through, at most
STEP = wp.constant(1.0e-4)  # beyond a cut-out, in lengths of the ray


@wp.func
def texel(world: wp.array1d(dtype=World), which: int, row: int, column: int) -> wp.vec4:
    """One pixel of a texture, which repeats without end, as (root of linear RGB, alpha)."""
    height = world[0].meshes[0].texture_shape[which, 1]
    width = world[0].meshes[0].texture_shape[which, 2]
    y = row - height * int(wp.floor(float(row) / float(height)))
    x = column - width * int(wp.floor(float(column) / float(width)))
    rgba = world[0].meshes[0].texel[world[0].meshes[0].texture_shape[which, 0] + y * width + x]
    return wp.vec4(float(rgba[0]), float(rgba[1]), float(rgba[2]), float(rgba[3])) * (1.0 / 255.0)


@wp.func
def sampled(world: wp.array1d(dtype=World), which: int, uv: wp.vec2) -> wp.vec4:
    """A texture at a point, bilinear between its pixels' middles."""
    column = (uv[0] - wp.floor(uv[0])) * float(world[0].meshes[0].texture_shape[which, 2]) - 0.5
    row = (1.0 - (uv[1] - wp.floor(uv[1]))) * float(world[0].meshes[0].texture_shape[which, 1]) - 0.5
    x = int(wp.floor(column))
    y = int(wp.floor(row))
    s = column - float(x)
    t = row - float(y)
    upper = texel(world, which, y, x) * (1.0 - s) + texel(world, which, y, x + 1) * s
    lower = texel(world, which, y + 1, x) * (1.0 - s) + texel(world, which, y + 1, x + 1) * s
    return upper * (1.0 - t) + lower * t


@wp.func
def opaque(world: wp.array1d(dtype=World), facet: int, u: float, v: float) -> bool:
    """Whether a facet is there at barycentric coordinates, and not cut out by its texture's alpha."""
    which = world[0].meshes[0].texture[facet]
    if which < 0:
        return True
    cutoff = world[0].meshes[0].cutoff[which]
    if cutoff <= 0.0:
        return True
    uv = (
        world[0].meshes[0].uv[facet, 0] * u
        + world[0].meshes[0].uv[facet, 1] * v
        + world[0].meshes[0].uv[facet, 2] * (1.0 - u - v)
    )
    alpha = sampled(world, which, uv)
    return alpha[3] >= cutoff


@wp.struct
class Facet:
    """The facet that a ray meets: how far along, its number in its mesh (-1 for none), and its normal there."""

    t: wp.float32
    face: wp.int32
    normal: wp.vec3


@wp.func
def first_facet(
    world: wp.array1d(dtype=World), which: int, start: wp.vec3, along: wp.vec3, least: float, most: float
) -> Facet:
    """The first facet between two distances that a ray in a mesh's own frame meets; cut-outs let it pass."""
    found = Facet()
    found.face = -1
    passed = float(least)
    layers = int(LAYERS)
    while layers > 0:  # a range of a constant would be unrolled
        layers -= 1
        met = wp.mesh_query_ray(world[0].meshes[0].mesh[which], start + passed * along, along, most - passed)
        if not met.result:
            break
        passed += met.t
        if opaque(world, world[0].meshes[0].first_face[which] + met.face, met.u, met.v):
            found.t = passed
            found.face = met.face
            found.normal = met.normal
            break
        passed += STEP
    return found


@wp.func
def nearest(world: wp.array1d(dtype=World), n: int, origin: wp.vec3, direction: wp.vec3) -> Hit:
    """The nearest facet that a ray meets in world n, its normal towards the eye."""
    hit = Hit()
    hit.t = NOTHING
    hit.body = -1
    hit.part = -1
    for o in range(world[0].kind.shape[1]):
        if not misses(origin, direction, world[0].place[n, o], world[0].bound[n, o]):
            inverse = world[0].inverse[n, o, 0]
            start = inverse * (origin - world[0].centre[n, o, 0])
            met = first_facet(world, world[0].kind[n, o, 0], start, inverse * direction, 0.0, hit.t)
            if met.face >= 0 and met.t > NEAR:
                hit.t = met.t
                hit.body = o
                hit.part = met.face
                normal = wp.normalize(wp.transpose(inverse) * met.normal)
                hit.normal = wp.where(wp.dot(normal, direction) > 0.0, -normal, normal)
    return hit


@wp.func
def shaded(world: wp.array1d(dtype=World), n: int, origin: wp.vec3, direction: wp.vec3) -> bool:
    """Whether anything stands between a point and a light."""
    for o in range(world[0].kind.shape[1]):
        if not misses(origin, direction, world[0].place[n, o], world[0].bound[n, o]):
            inverse = world[0].inverse[n, o, 0]
            start = inverse * (origin - world[0].centre[n, o, 0])
            if first_facet(world, world[0].kind[n, o, 0], start, inverse * direction, NEAR, NOTHING).face >= 0:
                return True
    return False


@wp.func
def surface(world: wp.array1d(dtype=World), n: int, hit: Hit, direction: wp.vec3) -> Surface:
    """The surface that a ray from the eye has met: colours, texture and normal, linear between a facet's corners."""
    which = world[0].kind[n, hit.body, 0]
    inverse = world[0].inverse[n, hit.body, 0]
    p = inverse * (hit.t * direction - world[0].centre[n, hit.body, 0])
    mesh = world[0].meshes[0].mesh[which]
    share = barycentric(
        p,
        wp.mesh_get_point(mesh, 3 * hit.part),
        wp.mesh_get_point(mesh, 3 * hit.part + 1),
        wp.mesh_get_point(mesh, 3 * hit.part + 2),
    )
    facet = world[0].meshes[0].first_face[which] + hit.part
    smooth = wp.vec3(0.0, 0.0, 0.0)
    root = wp.vec3(0.0, 0.0, 0.0)
    uv = wp.vec2(0.0, 0.0)
    for c in range(3):
        smooth += world[0].meshes[0].normal[facet, c] * share[c]
        root += world[0].meshes[0].color[facet, c] * share[c]
        uv += world[0].meshes[0].uv[facet, c] * share[c]
    image = world[0].meshes[0].texture[facet]
    if image >= 0:
        rgba = sampled(world, image, uv)
        root = wp.cw_mul(root, wp.vec3(rgba[0], rgba[1], rgba[2]))
    out = Surface()
    tinted = world[0].tint[n, hit.body] * wp.cw_mul(root, root)
    out.albedo = wp.vec3(wp.clamp(tinted[0], 0.0, 1.0), wp.clamp(tinted[1], 0.0, 1.0), wp.clamp(tinted[2], 0.0, 1.0))
    out.gloss = world[0].gloss[n, hit.body]
    normal = wp.normalize(wp.transpose(inverse) * smooth)
    out.normal = wp.where(wp.dot(normal, hit.normal) < 0.0, -normal, normal)
    return out


@wp.func
def barycentric(p: wp.vec3, a: wp.vec3, b: wp.vec3, c: wp.vec3) -> wp.vec3:
    """The shares of a triangle's corners in a point of its plane."""
    normal = wp.cross(b - a, c - a)
    area = wp.max(wp.dot(normal, normal), 1.0e-30)
    u = wp.dot(wp.cross(c - b, p - b), normal) / area
    v = wp.dot(wp.cross(a - c, p - c), normal) / area
    return wp.vec3(u, v, 1.0 - u - v)


draw, ground_truth_kernel = tracer(nearest, shaded, surface, module=__name__)
