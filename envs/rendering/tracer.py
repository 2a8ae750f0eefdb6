"""The kernels that cast rays, all worlds at once, made for one kind of objects: solids or meshes.

The eye is at the origin and looks towards -z; y is up. A ray through the film point (x, y) runs along (x, y, -1).

Colour is linear RGB until the last line: albedo x (ambient + sum of visible lights x cosine) + highlight (Blinn 1977),
clipped to [0, 1], encoded by a square root, rounded to uint8.
"""

from typing import Any

import warp as wp

from envs.rendering.room import room_albedo
from envs.rendering.world import World
from envs.scene.motion import HALF_VIEW


def tracer(nearest: wp.Function, shaded: wp.Function, surface: wp.Function, *, module: str) -> tuple[Any, Any]:
    """The kernels `draw` and `ground_truth_kernel` of objects of one kind, in a Warp module of this name.

    Args:
        nearest: (world, n, origin, direction) -> Hit, the nearest thing that a ray meets in world n.
        shaded: (world, n, origin, direction) -> whether anything stands between a point and a light.
        surface: (world, n, hit, direction) -> Surface, what a ray from the eye has met.
    """

    @wp.func
    def radiance(world: wp.array1d(dtype=World), n: int, direction: wp.vec3, shadows: bool) -> wp.vec3:
        """Linear RGB along a ray from the eye."""
        eye = wp.vec3(0.0, 0.0, 0.0)
        hit = nearest(world, n, eye, direction)
        t = hit.t
        facet = hit.normal
        normal = hit.normal
        albedo = wp.vec3(0.0, 0.0, 0.0)
        gloss = wp.vec2(0.0, 1.0)
        if hit.body >= 0:
            met = surface(world, n, hit, direction)
            albedo = met.albedo
            gloss = met.gloss
            normal = met.normal
        else:
            room = world[0].room[n]
            t = room[1]
            normal = wp.vec3(0.0, 0.0, 1.0)
            if direction[1] < 0.0 and room[0] / direction[1] < t:
                t = room[0] / direction[1]
                normal = wp.vec3(0.0, 1.0, 0.0)
            facet = normal
            albedo = room_albedo(world, n, t * direction, direction[1])
        point = t * direction + 2.0e-3 * facet
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

    @wp.kernel(enable_backward=False, module=wp.get_module(module))
    def draw(
        world: wp.array1d(dtype=World), first: int, shadows: bool, samples: int, image: wp.array4d(dtype=wp.uint8)
    ):
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

    @wp.kernel(enable_backward=False, module=wp.get_module(module))
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
        direction = wp.vec3(HALF_VIEW * (x + gaze[0]), HALF_VIEW * (y + gaze[1]), -1.0)
        hit = nearest(world, n, wp.vec3(0.0, 0.0, 0.0), direction)
        normal = hit.normal
        if hit.body >= 0:
            met = surface(world, n, hit, direction)
            normal = met.normal
        mask[n, row, column] = wp.uint8(hit.body + 1)
        depth[n, row, column] = wp.where(hit.body >= 0, hit.t, wp.inf)
        for c in range(3):
            normals[n, row, column, c] = normal[c]

    return draw, ground_truth_kernel
