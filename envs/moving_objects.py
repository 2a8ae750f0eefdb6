"""MovingObjects-v0: solids of many categories move, turn and come nearer under a moving light."""

import numpy as np
import torch
from torch import Tensor

from envs.render import Truth, ground_truth, moment, render
from envs.scene import Scene, WorldSettings, draw_scene, meet
from envs.world import SingleWorld, VectorWorld


class MovingObjectsVector(VectorWorld):
    """N worlds at once; every keyword of WorldSettings is a setting.

    Factors in `info`, besides those of every world: category and instance (N,); position (N, 3) in object units, x
    right, y up, looking towards -z; orientation (N, 4) unit quaternion (w, x, y, z); distance (N,); light_direction
    (N, 3) unit vector towards the key light; light_intensity (N,) stops; light_color (N,) kelvin; background (N,)
    index into envs.scene.BACKGROUNDS; background_offset (N, 2) lengths; background_color (N, 2, 3) linear RGB.
    """

    def __init__(self, num_envs: int = 1, *, device="cpu", render_mode=None, max_episode_steps=None, **settings):
        if max_episode_steps is not None:
            settings["episode_length"] = max_episode_steps + 1
        self.settings = WorldSettings(**settings)
        super().__init__(
            num_envs=num_envs,
            size=self.settings.size,
            episode_length=self.settings.episode_length,
            stagger=self.settings.stagger,
            device=device,
            render_mode=render_mode,
        )
        self.scene: Scene | None = None

    def _begin(self, rows: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> None:
        scene = draw_scene(meet(seeds, episodes, self.settings), self.settings)
        if len(rows) == self.num_envs:
            self.scene = scene.to(self.device)
        else:
            self.scene[torch.from_numpy(rows).to(self.device)] = scene

    def _look(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        now = moment(self.scene, age, self.gaze, self.settings)
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
        }
        return render(self.scene, now, self.settings), factors

    def ground_truth(self) -> Truth:
        """Mask, depth and normals of the frames last seen."""
        age = torch.from_numpy(self.age.astype(np.float32)).to(self.device)
        return ground_truth(self.scene, moment(self.scene, age, self.gaze, self.settings), self.settings)


class MovingObjects(SingleWorld):
    """One world; the same settings."""

    vector_world = MovingObjectsVector
