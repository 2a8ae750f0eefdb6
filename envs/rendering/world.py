"""What all kernels share: Warp's start, the structs that they read and return, and when a ray misses a sphere."""

import os

import torch
import warp as wp


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
class Meshes:
    """The kernel's view of a MeshSet: M meshes, F faces of all of them one after another, K textures."""

    mesh: wp.array1d(dtype=wp.uint64)  # (M,) with its tree of bounding boxes
    first_face: wp.array1d(dtype=wp.int32)  # (M,)
    normal: wp.array2d(dtype=wp.vec3)  # (F, 3) of corners
    uv: wp.array2d(dtype=wp.vec2)  # (F, 3), v upwards
    color: wp.array2d(dtype=wp.vec3)  # (F, 3) roots of linear RGB
    texture: wp.array1d(dtype=wp.int32)  # (F,) -1 for none
    texture_shape: wp.array2d(dtype=wp.int32)  # (K, 3) first texel, height, width
    cutoff: wp.array1d(dtype=wp.float32)  # (K,) alpha below which there is nothing; 0 where all is opaque
    texel: wp.array1d(dtype=wp.vec4ub)


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
    tint: wp.array2d(dtype=wp.mat33)
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
    meshes: wp.array1d(dtype=Meshes)  # one, or none where objects are solids


ELEMENTS: dict[str, type] = {name: field.type.dtype for name, field in World.vars.items()}  # of its arrays


@wp.struct
class Hit:
    """The nearest thing a ray meets: how far along, which object and part (-1 for none), and its unit normal."""

    t: wp.float32
    body: wp.int32
    part: wp.int32
    normal: wp.vec3


@wp.struct
class Surface:
    """What a ray from the eye meets at a point: of an object, or of the room."""

    albedo: wp.vec3  # linear RGB
    gloss: wp.vec2  # strength and exponent of the highlight
    normal: wp.vec3  # unit vector, of a smooth mesh not that of the facet


@wp.func
def misses(origin: wp.vec3, direction: wp.vec3, centre: wp.vec3, radius: float) -> bool:
    """Whether the ray (of any length) stays clear of a sphere, or the sphere lies behind it."""
    to = centre - origin
    along = wp.dot(to, direction)
    aside = wp.dot(to, to) * wp.dot(direction, direction) - along * along
    reach = radius * radius * wp.dot(direction, direction)
    return aside > reach or (along < 0.0 and wp.dot(to, to) > radius * radius)
