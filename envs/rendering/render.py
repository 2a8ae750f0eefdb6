"""From a scene to pixels or ground truth: a snapshot of all worlds goes to the tracer's kernels."""

import itertools
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import torch
import warp as wp
from torch import Tensor

from envs.rendering import meshes as of_meshes
from envs.rendering import solids as of_solids
from envs.rendering.mesh_set import MeshSet
from envs.rendering.snapshot import Snapshot, changes
from envs.rendering.world import ELEMENTS, World
from envs.scene.settings import SceneSettings
from envs.scene.state import Scene

ALONE = 8192  # rays, up to which waking threads would take longer than it saves


class Truth(NamedTuple):
    """Per-pixel ground truth at the middles of the pixels."""

    mask: Tensor  # (N, H, W) uint8: 0 background, 1 the object, 2 the occluder
    depth: Tensor  # (N, H, W) float32 object units along the line of sight's axis; inf for the background
    normals: Tensor  # (N, H, W, 3) float32 unit vectors in the eye's frame; 0 for the background


class Renderer:
    """Shows the same worlds again and again: what the kernels read is built once, and what has changed written into it.

    Args:
        settings: size, samples and shadows.
        pictures: (M, h, w, 3) uint8 for that background.
        meshes: what the scenes' `kind` counts, on their device; None for solids.
    """

    def __init__(self, settings: SceneSettings, pictures: Tensor | None = None, meshes: MeshSet | None = None):
        self._settings, self._pictures, self._meshes = settings, pictures, meshes
        self._kernels = of_meshes if meshes else of_solids
        self._bound: tuple[Tensor, ...] = ()  # the scene's tensors that the kernels read in place
        self._written: dict[str, Tensor] = {}  # what each frame writes into
        self._worlds: wp.array
        self._image: Tensor  # (N, H, W, 3) uint8, which the launches draw into
        self._launches: dict[int, list[wp.Launch]] = {}  # by the number of cores that share them

    def draw(self, scene: Scene, changing: Mapping[str, Tensor]) -> Tensor:
        """New (N, H, W, 3) uint8 frames, on the scene's device, of what `changes` says."""
        self._update(scene, changing)
        rays = self._image[..., 0].numel() * self._settings.samples**2
        alone = self._image.is_cuda or rays <= ALONE
        shares = 1 if alone else min(torch.get_num_threads(), len(self._image))
        launches = self._launches.get(shares) or self._launches.setdefault(shares, self._recorded(shares))
        if shares == 1:
            launches[0].launch(_stream(self._image))
        else:
            list(_pool(shares).map(wp.Launch.launch, launches))
        return self._image.clone()

    def ground_truth(self, scene: Scene, changing: Mapping[str, Tensor]) -> Truth:
        """Mask, depth and normals of what `draw` shows."""
        size, device = self._settings.size, scene.category.device
        shape = (len(scene.category), size, size)
        mask = torch.empty(shape, dtype=torch.uint8, device=device)
        depth, normals = torch.empty(shape, device=device), torch.empty(*shape, 3, device=device)
        self._update(scene, changing)
        outputs = [wp.from_torch(out) for out in (mask, depth, normals)]
        wp.launch(
            self._kernels.ground_truth_kernel,
            shape,
            [self._worlds, *outputs],
            device=_device(mask),
            stream=_stream(mask),
        )
        return Truth(mask, depth, normals)

    def _recorded(self, shares: int) -> list[wp.Launch]:
        """Launches that draw all worlds together: Warp runs one on a CPU on one core, so each core gets a share."""
        count, size = len(self._image), self._settings.size
        edges = [count * i // shares for i in range(shares + 1)]
        options = [self._settings.shadows, self._settings.samples, wp.from_torch(self._image)]
        return [
            wp.launch(
                self._kernels.draw,
                (past - first, size, size),
                [self._worlds, first, *options],
                device=_device(self._image),
                record_cmd=True,
            )
            for first, past in itertools.pairwise(edges)
        ]

    def _update(self, scene: Scene, changing: Mapping[str, Tensor]) -> None:
        if [*map(id, vars(scene).values())] != [*map(id, self._bound)]:
            self._bind(scene, changing)
        for name, buffer in self._written.items():
            buffer.copy_(changing[name])

    def _bind(self, scene: Scene, changing: Mapping[str, Tensor]) -> None:
        """Points the kernels to a scene, and to new places for what changes and for the frames."""
        count, size = len(scene.category), self._settings.size
        self._image = torch.empty(count, size, size, 3, dtype=torch.uint8, device=scene.category.device)
        self._launches.clear()
        if self._pictures is None:
            self._pictures = torch.zeros(1, 1, 1, 3, dtype=torch.uint8, device=scene.category.device)
        self._bound = tuple(vars(scene).values())
        self._written = {name: torch.empty_like(changing[name]) for name in ELEMENTS.keys() & changing.keys()}
        tensors = vars(scene) | {"pictures": self._pictures} | self._written
        world = World()
        for name in ELEMENTS.keys() & tensors.keys():
            setattr(world, name, wp.from_torch(tensors[name], dtype=ELEMENTS[name]))
        if self._meshes:
            world.meshes = self._meshes.view
        self._struct = world  # which holds what the struct on the device only points to
        self._worlds = wp.array([world], dtype=World, device=wp.device_from_torch(scene.category.device))


def render(
    scene: Scene,
    now: Snapshot,
    settings: SceneSettings,
    pictures: Tensor | None = None,
    meshes: MeshSet | None = None,
) -> Tensor:
    """New (N, H, W, 3) uint8 frames of a scene at one moment; arguments as of Renderer."""
    return Renderer(settings, pictures, meshes).draw(scene, changes(scene, now))


def ground_truth(scene: Scene, now: Snapshot, settings: SceneSettings, meshes: MeshSet | None = None) -> Truth:
    """Mask, depth and normals of what `render` shows."""
    return Renderer(settings, None, meshes).ground_truth(scene, changes(scene, now))


def _device(tensor: Tensor) -> wp.Device | str:
    return wp.device_from_torch(tensor.device) if tensor.is_cuda else "cpu"


def _stream(tensor: Tensor) -> wp.Stream | None:
    return wp.stream_from_torch(torch.cuda.current_stream(tensor.device)) if tensor.is_cuda else None


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="render")


os.register_at_fork(after_in_child=_pool.cache_clear)  # which has none of its parent's threads
