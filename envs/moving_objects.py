"""MovingObjects-v0: solids of many categories move, turn and come nearer under a moving light."""

import numpy as np
import torch
from torch import Tensor

from envs.base import SingleWorld, VectorWorld
from envs.images.pictures import load_pictures
from envs.rendering.render import Snapshot, Truth, ground_truth, render, snapshot
from envs.scene.drift import beginnings, phase_of, stops_at
from envs.scene.motion import HALF_VIEW
from envs.scene.sampling import draw_scene, sample_episode
from envs.scene.settings import SceneSettings
from envs.scene.state import Scene


class MovingObjectsVector(VectorWorld):
    """N worlds at once; every keyword of SceneSettings is a setting.

    Factors in `info`, besides those of every world: category and instance (N,); position (N, 3) in object units, x
    right, y up, looking towards -z; orientation (N, 4) unit quaternion (w, x, y, z); distance (N,); light_direction
    (N, 3) unit vector towards the key light; light_intensity (N,) stops; light_color (N,) kelvin; background (N,)
    index into envs.scene.BACKGROUNDS; background_offset (N, 2) lengths; background_color (N, 2, 3) linear RGB;
    bearing (N, 2) where the object is, in half-widths of the view from straight ahead; phase (N,) of the drift.
    """

    has_bearing = True

    def __init__(self, num_envs: int = 1, *, device="cpu", render_mode=None, max_episode_steps=None, **settings):
        if max_episode_steps is not None:
            settings["episode_length"] = max_episode_steps + 1
        self.settings = SceneSettings(**settings)
        super().__init__(
            num_envs=num_envs,
            size=self.settings.size,
            episode_length=self.settings.episode_length,
            stagger=self.settings.stagger,
            device=device,
            render_mode=render_mode,
        )
        self.categories = self.settings.categories
        self.scene: Scene | None = None
        self._next: tuple[np.ndarray, Scene] | None = None  # episodes (N,) drawn ahead, and what they show
        self._pictures: Tensor | None = None
        if self.settings.background_path:
            found = load_pictures(
                self.settings.background_path, self.settings.background_dataset, setting="env.background_path"
            )
            self._pictures = torch.from_numpy(found.images).to(self.device)
        self._start = np.zeros(num_envs, np.int64)

    def _begin(self, rows: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> None:
        self._start[rows] = beginnings(seeds, episodes, self.settings)
        if len(rows) == self.num_envs:
            self.scene, self._next = self._drawn(seeds, episodes), None
            return
        if self._next is None or (self._next[0][rows] != episodes).any():
            coming = self.episode + 1
            coming[rows] = episodes
            self._next = coming, self._drawn(self.seeds, coming)
        at = self._on_device(rows)
        self.scene[at] = self._next[1][at]

    def _drawn(self, seeds: np.ndarray, episodes: np.ndarray) -> Scene:
        """A call costs the same for one world as for a hundred, so the next episodes of all are drawn at once."""
        return draw_scene(sample_episode(seeds, episodes, self.settings), self.settings).to(self.device)

    def _look(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        now = self._snapshot(age)
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
        return render(self.scene, now, self.settings, self._pictures), factors

    def ground_truth(self) -> Truth:
        """Mask, depth and normals of the frames last seen: `world.unwrapped.ground_truth()`."""
        age = self._on_device(self.age.astype(np.float32))
        return ground_truth(self.scene, self._snapshot(age), self.settings)

    def _snapshot(self, age: Tensor) -> Snapshot:
        stops = None
        if self.settings.drift == "day_night":
            stops = self._on_device(stops_at(self._start + self.age, self.settings).astype(np.float32))
        return snapshot(self.scene, age, self.gaze, self.settings, stops)


class MovingObjects(SingleWorld):
    """One world; the same settings."""

    vector_world = MovingObjectsVector

    def ground_truth(self) -> Truth:
        """Mask (H, W), depth (H, W) and normals (H, W, 3) of the frame last seen, as numpy arrays."""
        return Truth(*(of_all[0].cpu().numpy() for of_all in self._world.ground_truth()))
