"""From a scene to pixels or ground truth: a snapshot of all worlds goes to the tracer's kernels without a copy."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import torch
import warp as wp
from torch import Tensor

from envs.rendering import meshes as of_meshes
from envs.rendering import solids as of_solids
from envs.rendering.mesh_set import MeshSet
from envs.rendering.world import ELEMENTS, World
from envs.scene.lighting import light_colors, light_directions
from envs.scene.motion import orientations, positions, rotation_matrix, waves
from envs.scene.settings import SceneSettings
from envs.scene.state import Scene


class Snapshot(NamedTuple):
    """What the renderer needs of N worlds at one moment, besides the scene. O objects, L lights."""

    place: Tensor  # (N, O, 3) centres of the objects
    orientation: Tensor  # (N, O, 4) unit quaternions
    light_direction: Tensor  # (N, L, 3) unit vectors towards the lights
    light_color: Tensor  # (N, L, 3) linear RGB irradiance
    background_color: Tensor  # (N, 2, 3) linear RGB of the texture's two colours
    slide: Tensor  # (N, 2) how far the background's texture has slid
    gaze: Tensor  # (N, 2) where the eye looks, in half-widths of the view
    dim: Tensor  # (N,) what day and night leave of all light
    waves: dict[str, Tensor]  # (N,) each


def snapshot(scene: Scene, age: Tensor, gaze: Tensor, settings: SceneSettings, stops: Tensor | None = None) -> Snapshot:
    """The scene at ages (N,) and gaze (N, 2), its light changed by `stops` (N,); a function of its arguments."""
    wave = waves(scene, age)
    stops = torch.zeros_like(age) if stops is None else stops
    dim = torch.exp2(stops)
    return Snapshot(
        positions(wave, occluder=settings.occluder),
        orientations(scene, age),
        light_directions(wave, second=settings.second_light),
        light_colors(wave, second=settings.second_light) * dim[:, None, None],
        torch.lerp(scene.background_color[:, 0], scene.background_color[:, 1], wave["background_color"][:, None, None]),
        torch.stack([wave["background_x"], wave["background_y"]], 1),
        gaze,
        dim,
        wave | {"light_intensity": wave["light_intensity"] + stops},
    )


class Truth(NamedTuple):
    """Per-pixel ground truth at the middles of the pixels."""

    mask: Tensor  # (N, H, W) uint8: 0 background, 1 the object, 2 the occluder
    depth: Tensor  # (N, H, W) float32 object units along the line of sight's axis; inf for the background
    normals: Tensor  # (N, H, W, 3) float32 unit vectors in the eye's frame; 0 for the background


def render(
    scene: Scene,
    now: Snapshot,
    settings: SceneSettings,
    pictures: Tensor | None = None,
    meshes: MeshSet | None = None,
) -> Tensor:
    """New (N, H, W, 3) uint8 frames, on the scene's device.

    Args:
        scene: of solids; of meshes, if those are given.
        now: the scene at one moment.
        settings: size, samples and shadows.
        pictures: (M, h, w, 3) uint8 for that background.
        meshes: what the scene's `kind` counts, on its device.
    """
    count, size = len(scene.category), settings.size
    image = torch.empty(count, size, size, 3, dtype=torch.uint8, device=scene.category.device)
    world, pixels = _world(scene, now, pictures, meshes), wp.from_torch(image)
    worlds: wp.array = wp.array([world], dtype=World, device=pixels.device)

    draw = of_meshes.draw if meshes else of_solids.draw

    def launch(first: int, past: int) -> None:
        inputs = [worlds, first, settings.shadows, settings.samples, pixels]
        wp.launch(draw, (past - first, size, size), inputs, **_where(image))

    if image.is_cuda:
        launch(0, count)
    else:  # Warp runs a CPU launch on one core, so each core gets a share of the worlds
        shares = min(torch.get_num_threads(), count)
        edges = [count * i // shares for i in range(shares + 1)]
        list(_pool(shares).map(launch, edges[:-1], edges[1:]))
    return image


def ground_truth(scene: Scene, now: Snapshot, settings: SceneSettings, meshes: MeshSet | None = None) -> Truth:
    """Mask, depth and normals of what `render` shows."""
    kernel = of_meshes.ground_truth_kernel if meshes else of_solids.ground_truth_kernel
    shape, device = (len(scene.category), settings.size, settings.size), scene.category.device
    mask = torch.empty(shape, dtype=torch.uint8, device=device)
    depth, normals = torch.empty(shape, device=device), torch.empty(*shape, 3, device=device)
    world, outputs = _world(scene, now, None, meshes), [wp.from_torch(out) for out in (mask, depth, normals)]
    inputs = [wp.array([world], dtype=World, device=outputs[0].device), *outputs]
    wp.launch(kernel, shape, inputs, **_where(mask))
    return Truth(mask, depth, normals)


def _world(scene: Scene, now: Snapshot, pictures: Tensor | None, meshes: MeshSet | None) -> World:
    if pictures is None:
        pictures = torch.zeros(1, 1, 1, 3, dtype=torch.uint8, device=scene.category.device)
    turn = rotation_matrix(now.orientation)  # (N, O, 3, 3) object to eye
    upright = turn.transpose(-1, -2).contiguous()
    inverse = scene.inverse @ upright[:, :, None]
    centre = now.place[:, :, None] + (turn[:, :, None] @ scene.centre[..., None])[..., 0]
    derived = {"inverse": inverse, "centre": centre, "upright": upright, "pictures": pictures}
    tensors = vars(scene) | now._asdict() | derived | {"ambient": scene.ambient * now.dim[:, None]}
    world = World()
    for name in ELEMENTS.keys() & tensors.keys():
        setattr(world, name, wp.from_torch(tensors[name].contiguous(), dtype=ELEMENTS[name]))
    if meshes:
        world.meshes = meshes.view
    return world


def _where(tensor: Tensor) -> dict:
    if tensor.is_cuda:
        return {"stream": wp.stream_from_torch(torch.cuda.current_stream(tensor.device))}
    return {"device": "cpu"}


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="render")


os.register_at_fork(after_in_child=_pool.cache_clear)  # which has none of its parent's threads
