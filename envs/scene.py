"""The state of N worlds, one dataclass of tensors with leading axis N, and the settings it is drawn from."""

from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor

from envs.categories import CATEGORIES
from envs.devices import upload
from envs.draws import Draws, key
from envs.drift import DriftSettings, beginnings, categories_at
from envs.errors import SettingError, unknown
from envs.lighting import draw_light
from envs.motion import NUISANCES, draw_motion
from envs.objects import Objects, assemble

SPLITS = {"train": 0, "validation": 1, "test": 2}  # each owns instance numbers of its own
SPLIT_STRIDE = 1 << 20
CONTRAST = (0.6, 1.0)  # of the background's two colours, as a share of that of two colours drawn apart
BACKGROUNDS = ("plain", "gradient", "checker", "noise", "pictures")


@dataclass
class WorldSettings(DriftSettings):
    """What the world of moving objects is told. Angles in degrees, times in steps, lengths in object units."""

    size: int = 32  # pixels along an edge of the square frame
    categories: int = 12  # how many kinds of object: the first so many of envs.categories
    split: str = "train"  # whose instances: train, validation or test; no instance belongs to two of them
    instances: int = 4096  # instances of each category in the split
    episode_length: int = 48  # frames an object stays
    stagger: bool = False  # start worlds at different ages, so that they do not all change objects at once
    moving: tuple[str, ...] = NUISANCES  # which nuisances move; the others stay where they happen to be
    speed: float = 1.0  # of everything that moves; 0 stands still
    turn: float = 1.5  # degrees a step about the object's axis, at most; each episode draws half of it to all of it
    axis: str = "vertical"  # what objects turn about: vertical (give or take a tilt) or any
    jitter: float = 0.0  # fast shaking added to translation, scale and light, as a share of their slow swing
    light_path: str = "wander"  # wander, arc (like a sun, once an episode) or flicker (like a flame)
    second_light: bool = False  # a weaker lamp from another side
    shadows: bool = True  # cast by objects on themselves, each other, the floor and the wall
    occluder: bool = False  # a second object that passes in front
    background: str = "mixed"  # plain, gradient, checker, noise, mixed (of those four) or pictures (of one's own)
    background_path: str = ""  # where the pictures are: a folder, .npy, .npz, Zarr, or a torchvision data set's root
    background_dataset: str = ""  # the torchvision data set's class, such as CIFAR10
    samples: int = 1  # rays along an edge of a pixel; 2 smooths edges at four times the price

    def __post_init__(self):
        self.moving = tuple(self.moving)
        for name, low, high in (
            ("size", 4, 1024),
            ("categories", 1, len(CATEGORIES)),
            ("instances", 1, SPLIT_STRIDE),
            ("episode_length", 2, 1 << 20),
            ("samples", 1, 8),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingError(f"env.{name}={value} is out of range; try {low} to {high}")
        for name, known in (
            ("split", SPLITS),
            ("axis", ("vertical", "any")),
            ("light_path", ("wander", "arc", "flicker")),
            ("background", (*BACKGROUNDS, "mixed")),
        ):
            if getattr(self, name) not in known:
                raise unknown(f"env.{name}", getattr(self, name), known)
        if (self.background == "pictures") != bool(self.background_path):
            raise SettingError(
                f"env.background={self.background} and env.background_path={self.background_path!r} "
                "go together: background=pictures, with the path of a folder, .npy, .npz or Zarr"
            )
        self.check(categories=self.categories)
        for name in ("speed", "turn", "jitter"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingError(f"env.{name}={getattr(self, name)} must be a number from 0 up")
        for name in self.moving:
            if name not in NUISANCES:
                raise unknown("env.moving", name, NUISANCES)


@dataclass
class Scene:
    """Everything that stays as it is during an episode. O objects, P parts, K waves; lengths in object units."""

    category: Tensor  # (N,) int64
    instance: Tensor  # (N,) int64: unique over categories' splits, the same number in two categories is two objects
    kind: Tensor  # (N, O, P) int32, and so on as in envs.objects.Objects
    inverse: Tensor  # (N, O, P, 3, 3)
    centre: Tensor  # (N, O, P, 3)
    radius: Tensor  # (N, O, P)
    taper: Tensor  # (N, O, P, 2)
    color: Tensor  # (N, O, P, 3)
    bound: Tensor  # (N, O)
    gloss: Tensor  # (N, O, 2)
    texture: Tensor  # (N, O, 4)
    facing: Tensor  # (N, O, 4) unit quaternion (w, x, y, z): orientation at age 0
    axis: Tensor  # (N, O, 3) what it turns about
    spin: Tensor  # (N, O) rad a step
    level: Tensor  # (N, K) middle of each wave of envs.motion.WAVES
    swing: Tensor  # (N, K, 2) amplitudes of the slow wave and of the jitter
    rate: Tensor  # (N, K, 2) rad a step
    phase: Tensor  # (N, K, 2) rad
    ambient: Tensor  # (N, 3) linear RGB
    room: Tensor  # (N, 2) height of the floor (negative) and distance of the wall behind
    background_kind: Tensor  # (N,) int32, index into BACKGROUNDS
    background_color: Tensor  # (N, 2, 2, 3) linear RGB of the texture's two colours, at either end of their change
    background_grain: Tensor  # (N, 2) cycles a unit of length, and a seed in [0, 64)

    def __getitem__(self, rows: Tensor) -> "Scene":
        """The scenes of rows (m,)."""
        return Scene(**{name: getattr(self, name)[rows] for name in FIELDS})

    def __setitem__(self, rows: Tensor, other: "Scene") -> None:
        """Replaces rows (m,) by another scene's m rows."""
        for name in FIELDS:
            getattr(self, name)[rows] = getattr(other, name)

    def to(self, device: torch.device) -> "Scene":
        return Scene(**{name: upload(getattr(self, name), device) for name in FIELDS})


FIELDS = tuple(item.name for item in fields(Scene))


@dataclass
class Encounter:
    """Which object a row meets: drawn on the host, because it decides what else is drawn."""

    keys: np.ndarray  # (N,) uint64 of (world seed, episode)
    category: np.ndarray  # (N,) int64
    instance: np.ndarray  # (N,) int64
    draws: Draws = field(init=False)

    def __post_init__(self):
        self.draws = Draws(self.keys)


def meet(seeds: np.ndarray, episodes: np.ndarray, settings: WorldSettings) -> Encounter:
    """What the worlds with these seeds (N,) meet in their episodes (N,), counted from 0."""
    keys = key("encounter", seeds, episodes)
    draws = Draws(keys)
    instance = SPLITS[settings.split] * SPLIT_STRIDE + draws.integers("instance", settings.instances)
    start = beginnings(seeds, episodes, settings)
    return Encounter(keys, categories_at(draws, start, settings, categories=settings.categories), instance)


def draw_scene(encounter: Encounter, settings: WorldSettings) -> Scene:
    """The scenes (on the CPU) of N encounters; a function of the encounters and nothing else."""
    draws = encounter.draws
    arrays = {"category": encounter.category, "instance": encounter.instance}
    arrays |= _objects(encounter, settings)
    arrays |= draw_motion(draws, settings, objects=1 + settings.occluder)
    arrays |= draw_light(draws, settings)
    arrays |= _background(draws, settings)
    return Scene(**{name: _tensor(arrays[name]) for name in FIELDS})


def _objects(encounter: Encounter, settings: WorldSettings) -> dict[str, np.ndarray]:
    known = list(CATEGORIES.values())[: settings.categories]
    cast = [assemble(known, encounter.category, encounter.instance)]
    if settings.occluder:
        draws = encounter.draws
        instance = SPLITS[settings.split] * SPLIT_STRIDE + draws.integers("occluder/instance", settings.instances)
        cast.append(assemble(known, draws.integers("occluder/category", settings.categories), instance))
    names = [item.name for item in fields(Objects)]
    return {name: np.stack([getattr(one, name) for one in cast], 1) for name in names}


def _background(draws: Draws, settings: WorldSettings) -> dict[str, np.ndarray]:
    if settings.background == "mixed":
        kind = draws.integers("background", BACKGROUNDS.index("pictures"))
    else:
        kind = np.full(len(draws), BACKGROUNDS.index(settings.background))
    color = draws.uniform("background/color", 0, 1, 12).reshape(-1, 2, 2, 3) ** 2
    near = draws.uniform("background/contrast", *CONTRAST)[:, None, None]  # the second colour is not far from the first
    color[:, :, 1] = near * color[:, :, 1] + (1 - near) * color[:, :, 0]
    return {
        "room": np.stack([draws.uniform("floor", -2.4, -1.5), draws.uniform("wall", 9.0, 13.0)], 1),
        "background_kind": kind.astype(np.int32),
        "background_color": color,
        "background_grain": np.stack(
            [draws.log_uniform("background/cycles", 0.15, 0.5), draws.uniform("grain", 0, 64)], 1
        ),
    }


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else None))
