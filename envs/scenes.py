"""What worlds share whose objects move and turn in a room under a moving light, whatever the objects are."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.base import SingleWorld, VectorWorld
from envs.images.pictures import load_pictures
from envs.rendering.mesh_set import MeshSet
from envs.rendering.render import Renderer, Truth
from envs.rendering.snapshot import Path, changes, factors, snapshot
from envs.scene.drift import beginnings, phase_of, stops_at
from envs.scene.sampling import Cast, draw_scene, sample_episode
from envs.scene.state import Scene

FEW = 8  # worlds on a CPU, up to which their paths are made ahead
DRAWN = 32  # episodes, fewer than which are drawn as fast as one


class SceneVector(VectorWorld):
    """N rooms at once, each with an object of a cast.

    Factors in `info`, besides those of every world: category and instance (N,); position (N, 3) in object units, x
    right, y up, looking towards -z; orientation (N, 4) unit quaternion (w, x, y, z); distance (N,); light_direction
    (N, 3) unit vector towards the key light; light_intensity (N,) stops; light_color (N,) kelvin; background (N,)
    index into envs.scene.BACKGROUNDS; background_offset (N, 2) lengths; background_color (N, 2, 3) linear RGB;
    bearing (N, 2) where the object is, in half-widths of the view from straight ahead; phase (N,) of the drift.
    """

    has_bearing = True

    def __init__(self, num_envs: int = 1, **settings):
        super().__init__(num_envs, **settings)
        self.cast, meshes = self._load()
        self.categories = self.cast.categories
        self.scene: Scene
        self._ahead = max(1, DRAWN // num_envs)  # episodes of each world that are drawn at once
        self._drawn: tuple[np.ndarray, np.ndarray, Scene] | None = None  # (N,) seeds and first episodes, and all scenes
        self._path: Path | None = None  # of the present episodes
        pictures: Tensor | None = None
        if self.settings.background_path:
            path, dataset = self.settings.background_path, self.settings.background_dataset
            loaded = load_pictures(path, dataset, setting="env.background_path")
            pictures = torch.from_numpy(loaded.images).to(self.device)
        self._renderer = Renderer(self.settings, pictures, meshes)
        self._start = np.zeros(num_envs, np.int64)

    def _load(self) -> tuple[Cast, MeshSet | None]:
        """The objects that may appear and, where they are meshes, those on the device; sets `category_names`."""
        raise NotImplementedError

    def _begin(self, rows: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> None:
        self._start[rows], self._path = beginnings(seeds, episodes, self.settings), None
        first = self._drawn is None
        begun = self._scenes(rows, episodes)
        if first:
            self.scene = begun
        else:  # in place, where the renderer reads it
            self.scene[self._on_device(rows)] = begun

    def _scenes(self, rows: np.ndarray, episodes: np.ndarray) -> Scene:
        """The scenes of episodes (m,) in rows (m,).

        Drawing one costs as much as drawing dozens, so those of all worlds are drawn at once, and of few worlds those
        of several episodes.
        """
        if self._drawn is None or not self._has_drawn(rows, episodes):
            first = self.episode + 1
            first[rows] = episodes
            of_all = (first + np.arange(self._ahead)[:, None]).reshape(-1)
            episode = sample_episode(np.tile(self.seeds, self._ahead), of_all, self.settings, self.cast)
            scenes = draw_scene(episode, self.settings, self.cast).to(self.device)
            self._drawn = self.seeds.copy(), first, scenes
        _, first, scenes = self._drawn
        return scenes[self._on_device((episodes - first[rows]) * self.num_envs + rows)]

    def _has_drawn(self, rows: np.ndarray, episodes: np.ndarray) -> bool:
        """Whether episodes (m,) of rows (m,) are among those drawn ahead."""
        assert self._drawn is not None
        seeds, first, _ = self._drawn
        later = episodes - first[rows]
        return bool(((later >= 0) & (later < self._ahead) & (seeds[rows] == self.seeds[rows])).all())

    def _render(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        changing, truth = self._present()
        return self._renderer.draw(self.scene, changing), truth

    def _reward(self, info: dict[str, Any]) -> Any:
        """Zeros (N,), or how near the eye looks to the object: 1 less their distance, where that is positive.

        The distance is in half-widths of the view. The step that begins an episode is worth 0, as it is no act's.
        """
        if self.settings.reward == "none":
            return super()._reward(info)
        near = (1 - (info["bearing"] - info["gaze"]).norm(dim=1)).clamp_min(0)
        reward = near * self._on_device(self.age > 0)
        return reward.numpy() if self.device.type == "cpu" else reward

    def ground_truth(self) -> Truth:
        """Returns mask, depth and normals of the last frames: `world.unwrapped.ground_truth()`."""
        return self._renderer.ground_truth(self.scene, self._present()[0])

    def _present(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What changes in the worlds, as it is now, and its ground truth.

        Of a few worlds it comes from a path, which is a function of seed and episode alone.
        """
        if self.num_envs <= FEW and self.device.type == "cpu":
            if self._path is None or not self._path.reaches(self.age):
                self._path = Path(self.scene, self._start, self.age, self.settings)
            return self._path.at(self.age, self.gaze)
        age = self._on_device(self.age.astype(np.float32))
        stops = self._on_device(stops_at(self._start + self.age, self.settings).astype(np.float32))
        now = snapshot(self.scene, age, self.gaze, self.settings, stops)
        phase = self._on_device(phase_of(self._start, self.age, self.settings))
        return changes(self.scene, now), factors(self.scene, now) | {"phase": phase}


class SingleScene(SingleWorld):
    """One such room; the same settings."""

    vector_world: type[SceneVector]
    _world: SceneVector

    def ground_truth(self) -> Truth:
        """Returns mask (H, W), depth (H, W) and normals (H, W, 3) of the last frame, as numpy arrays."""
        return Truth(*(of_all[0].cpu().numpy() for of_all in self._world.ground_truth()))  # type: ignore[arg-type]
