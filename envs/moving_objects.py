"""MovingObjects-v0: solids of many categories move, turn and come nearer under a moving light."""

from dataclasses import dataclass

from envs.scene.categories import CATEGORIES
from envs.scene.sampling import Solids
from envs.scene.settings import SceneSettings
from envs.scenes import SceneVector, SingleScene


@dataclass
class MovingObjectsSettings(SceneSettings):
    """env=moving_objects"""

    name: str = "moving_objects"  # of the world: env=NAME
    id: str = "MovingObjects-v0"  # of the environment that is registered with Gymnasium
    num_worlds: int = 128  # worlds watched at once; each gives one frame a step


class MovingObjectsVector(SceneVector):
    """N worlds at once; every field of MovingObjectsSettings is a keyword. Factors are those of SceneVector."""

    settings_class = MovingObjectsSettings

    def _load(self) -> tuple[Solids, None]:
        self.category_names = list(CATEGORIES)[: self.settings.categories]
        return Solids(self.settings), None


class MovingObjects(SingleScene):
    """One world; the same settings."""

    vector_world = MovingObjectsVector
