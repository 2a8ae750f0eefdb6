"""The settings that a scene is drawn from."""

from dataclasses import dataclass
from typing import ClassVar

from envs.errors import Needs, SettingError, check_choices, check_ranges
from envs.scene.categories import CATEGORIES
from envs.scene.drift import DriftSettings

NUISANCES = ("translation", "rotation", "scale", "light_direction", "light_intensity", "light_color", "background")
SPLITS = {"train": 0, "validation": 1, "test": 2}  # number of a split, which sets its instance numbers
SPLIT_STRIDE = 1 << 20  # instance numbers of a split
BACKGROUNDS = ("plain", "gradient", "checker", "noise", "pictures")
REWARDS = ("none", "tracking")


@dataclass
class SceneSettings(DriftSettings):
    """The settings of a scene and its motion. Angles in degrees, times in steps, lengths in object units."""

    needs: ClassVar[Needs] = DriftSettings.needs | {
        "background_path": ("background", ("pictures",)),
        "background_dataset": ("background", ("pictures",)),
    }

    size: int = 32  # pixels along an edge of the square frame
    categories: int = 12  # how many kinds of object: that many from the beginning of envs.scene.categories.CATEGORIES
    split: str = "train"  # whose instances: train, validation or test, of which none share any; of meshes also all
    instances: int = 4096  # instances of each category in the split
    episode_length: int = 48  # frames an object stays
    stagger: bool = True  # start worlds at different ages, so that they do not all change objects at once
    moving: tuple[str, ...] = NUISANCES  # which nuisances move; the others stay where they happen to be
    speed: float = 1.0  # of everything that moves; 0 stands still
    turn: float = 1.5  # degrees a step about the object's axis, at most; each episode draws half of it to all of it
    axis: str = "vertical"  # what objects turn about: vertical (give or take a tilt) or any
    jitter: float = 0.0  # fast shaking added to translation, scale and light, as a share of their slow amplitude
    light_path: str = "wander"  # wander, arc (like a sun, once an episode) or flicker (like a flame)
    second_light: bool = False  # a weaker lamp from another side
    shadows: bool = True  # cast by objects on themselves, each other, the floor and the wall
    occluder: bool = False  # a second object that passes in front
    background: str = "mixed"  # plain, gradient, checker, noise, mixed (of those four) or pictures (of one's own)
    background_path: str = ""  # where the pictures are: a folder, .npy, .npz, Zarr, or a torchvision data set's root
    background_dataset: str = ""  # the torchvision data set's class, such as CIFAR10
    reward: str = "none"  # none, or tracking: 1 where the eye looks straight at the object, 0 from a half-width away
    samples: int = 1  # rays along an edge of a pixel; 2 smooths edges at four times the price

    def __post_init__(self):
        self.moving = tuple(self.moving)
        self.check_cast()
        check_ranges(self, size=(4, 1024), episode_length=(2, 1 << 20), samples=(1, 8))
        check_choices(self, axis=("vertical", "any"), light_path=("wander", "arc", "flicker"), reward=REWARDS)
        check_choices(self, background=(*BACKGROUNDS, "mixed"), moving=NUISANCES)
        if (self.background == "pictures") != bool(self.background_path):
            raise SettingError(
                f"env.background={self.background} and env.background_path={self.background_path!r} "
                "go together: background=pictures, with the path of a folder, .npy, .npz or Zarr"
            )
        if self.background_dataset and not self.background_path:
            raise SettingError(
                f"env.background_dataset={self.background_dataset} needs env.background_path, the folder it lies in"
            )
        for name in ("speed", "turn", "jitter"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingError(f"env.{name}={getattr(self, name)} must be a number from 0 up")

    def check_cast(self) -> None:
        """Raises SettingError for values of which objects appear that cannot work."""
        check_ranges(self, categories=(1, len(CATEGORIES)), instances=(1, SPLIT_STRIDE))
        check_choices(self, split=SPLITS)
        self.check(categories=self.categories)
