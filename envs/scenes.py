"""What worlds share whose objects move and turn in a room under a moving light, whatever the objects are."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.base import SingleWorld, VectorWorld
from envs.images.pictures import load_pictures
from envs.rendering.mesh_set import MeshSet
from envs.rendering.render import Renderer, Truth
from envs.rendering.snapshot import Path, Placed, Snapshot, snapshot
from envs.scene.drift import beginnings, phase_of, stops_at
from envs.scene.motion import HALF_VIEW
from envs.scene.sampling import Cast, draw_scene, sample_episode
from envs.scene.state import Scene

FEW = 8  # worlds on a CPU, up to which their paths are made ahead


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
        self._next: tuple[np.ndarray, Scene] | None = None  # episodes (N,) drawn ahead, and what they show
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
        if len(rows) == self.num_envs:
            self.scene, self._next = self._draw(seeds, episodes), None
            return
        if self._next is None or (self._next[0][rows] != episodes).any():
            coming = self.episode + 1
            coming[rows] = episodes
            self._next = coming, self._draw(self.seeds, coming)
        at = self._on_device(rows)
        self.scene[at] = self._next[1][at]

    def _draw(self, seeds: np.ndarray, episodes: np.ndarray) -> Scene:
        """The scenes of episodes. Drawing one costs as much as drawing a hundred, so all worlds' are drawn at once."""
        episode = sample_episode(seeds, episodes, self.settings, self.cast)
        return draw_scene(episode, self.settings, self.cast).to(self.device)

    def _render(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        now, parts = self._present()
        factors = {
            "category": self.scene.category.clone(),
            "instance": self.scene.instance.clone(),
            "position": now.place[:, 0],
            "orientation": now.orientation[:, 0],
            "distance": now.waves["distance"],
            "light_direction": now.light_direction[:, 0],
            "light_intensity": now.waves["light_intensity"],
            "light_color": 1e6 / now.waves["light_mired"],
            "background": self.scene.background_kind.long(),
            "background_offset": now.slide,
            "background_color": now.background_color,
            "bearing": now.place[:, 0, :2] / (HALF_VIEW * now.waves["distance"][:, None]),
            "phase": self._on_device(phase_of(self._start, self.age, self.settings)),
        }
        return self._renderer.draw(self.scene, now, parts), factors

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
        return self._renderer.ground_truth(self.scene, *self._present())

    def _present(self) -> tuple[Snapshot, Placed | None]:
        """The worlds as they are now; of a few, from a path that is a function of seed and episode alone."""
        if self.num_envs <= FEW and self.device.type == "cpu":
            if self._path is None or not self._path.reaches(self.age):
                self._path = Path(self.scene, self._start, self.age, self.settings)
            return self._path.at(self.age, self.gaze)
        age = self._on_device(self.age.astype(np.float32))
        stops = self._on_device(stops_at(self._start + self.age, self.settings).astype(np.float32))
        return snapshot(self.scene, age, self.gaze, self.settings, stops), None


class SingleScene(SingleWorld):
    """One such room; the same settings."""

    vector_world: type[SceneVector]
    _world: SceneVector

    def ground_truth(self) -> Truth:
        """Returns mask (H, W), depth (H, W) and normals (H, W, 3) of the last frame, as numpy arrays."""
        return Truth(*(of_all[0].cpu().numpy() for of_all in self._world.ground_truth()))  # type: ignore[arg-type]
