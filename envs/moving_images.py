"""MovingImages-v0: pictures that move along smooth paths of warps, colours and illumination.

Every nuisance is a parameter that travels back and forth over its range at constant speed (a triangle wave of random
phase). At `speed=1` the wave's rate is uniform over (0, 1) periods a step, so that two frames one step apart are two
independent draws: exactly batch augmentation with the ranges of Tang, Yang and Amit (2022), section 2.1, less its flip.
At lower speeds the same states are visited smoothly, and neighbours are nearly the same.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from kornia.geometry.transform import homography_warp
from torch import Tensor

from envs.base import SingleWorld, VectorWorld
from envs.errors import SettingError, check_choices, check_ranges
from envs.images.pictures import load_pictures
from envs.scene.drift import DriftSettings, beginnings, in_block, phase_of, stops_at
from envs.scene.random import Draws, key
from envs.scene.settings import SPLITS

# parameter: (nuisance it belongs to, the most it departs from 0)
WAVES = {
    "xx": ("deformation", 0.25),  # the affine matrix, from output to picture, less the identity
    "xy": ("deformation", 0.25),
    "yx": ("deformation", 0.25),
    "yy": ("deformation", 0.25),
    "x": ("translation", 0.5),  # half-widths of the view
    "y": ("translation", 0.5),
    "px": ("perspective", 0.15),  # how much nearer one side is than the middle
    "py": ("perspective", 0.15),
    "saturation": ("saturation", 2.0),  # powers of two
    "hue": ("hue", 0.1),  # turns
    "brightness": ("brightness", 0.5),  # stops
    "gradient_x": ("gradient", 0.4),  # change of the light across half the view
    "gradient_y": ("gradient", 0.4),
}
NUISANCES = tuple(dict.fromkeys(nuisance for nuisance, _ in WAVES.values()))
PAPER = ("translation", "deformation", "saturation", "hue")  # what the paper's augmentation changes
ACROSS = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])  # cross product with (1, 1, 1)
_load = lru_cache(maxsize=1)(load_pictures)  # whose last pictures are kept: a run makes many worlds of them
SHARES = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}  # of the pictures, by a draw for each


@dataclass
class MovingImagesSettings(DriftSettings):
    """env=moving_images"""

    name: str = "moving_images"  # of the world: env=NAME
    id: str = "MovingImages-v0"  # of the environment that is registered with Gymnasium
    num_worlds: int = 128  # worlds watched at once; each gives one frame a step

    path: str = ""  # a folder of pictures, .npy, .npz, Zarr, or the root of a torchvision data set
    dataset: str = ""  # the torchvision data set's class, such as CIFAR10, where path is its root
    fit: str = "none"  # how a folder's pictures of several sizes become squares twice as large as a frame: crop or pad
    memory_mb: float = 4096  # pictures that take more lie on disk, where they are read when they are shown
    size: int = 32  # pixels along an edge of the square frame
    split: str = "train"  # which pictures: train (80 %), validation or test (10 % each), or all
    pictures: int = 0  # how many of them, drawn once and for all; 0 for all
    episode_length: int = 48  # frames a picture stays; 1 for unrelated pictures, as a data set is usually shown
    stagger: bool = True  # start worlds at different ages, so that they do not all change pictures at once
    nuisances: tuple[str, ...] = NUISANCES  # which there are at all; the others are left out
    moving: tuple[str, ...] = NUISANCES  # which of them move; the others stay where they happen to be
    speed: float = 0.02  # 1: neighbours are independent augmentations of a picture; 0: nothing moves

    def __post_init__(self):
        self.moving, self.nuisances = tuple(self.moving), tuple(self.nuisances)
        check_ranges(self, size=(4, 1024), episode_length=(1, 1 << 20), pictures=(0, 1 << 31), memory_mb=(0, 1 << 30))
        if not 0 <= self.speed <= 1:
            raise SettingError(f"env.speed={self.speed} is out of range; try 0 (still) to 1 (unrelated neighbours)")
        check_choices(self, fit=("none", "crop", "pad"), split=(*SPLITS, "all"), moving=NUISANCES, nuisances=NUISANCES)


class MovingImagesVector(VectorWorld):
    """N pictures at once; every field of MovingImagesSettings is a keyword.

    Factors in `info`, besides those of every world: category (N,) the picture's label; instance (N,) its place among
    the pictures; position and bearing (N, 2) half-widths; deformation (N, 4) the matrix less the identity; perspective
    (N, 2); saturation (N,) powers of two; hue (N,) turns; brightness (N,) stops; gradient (N, 2); phase (N,).
    """

    settings_class = MovingImagesSettings
    has_bearing = True
    kinds: np.ndarray

    def __init__(self, num_envs: int = 1, **settings):
        super().__init__(num_envs, **settings)
        fit = {"fit": self.settings.fit, "edge": 2 * self.settings.size} if self.settings.fit != "none" else {}
        pictures = _load(self.settings.path, self.settings.dataset, memory_mb=self.settings.memory_mb, **fit)
        self.kinds, self._kind = np.unique(pictures.labels, return_inverse=True)
        self.categories, self.notes = len(self.kinds), pictures.notes
        self.settings.check(categories=self.categories)
        self._pictures = torch.from_numpy(pictures.images)  # (M, H, W, 3), on the device where they fit
        if not isinstance(pictures.images, np.memmap):
            self._pictures = self._pictures.to(self.device)
        self._shown = self._pictures.new_zeros(num_envs, *self._pictures.shape[1:], device=self.device)
        self._labels = pictures.labels
        self._members = self._of_split()
        self._blocks = self._blocks_of()
        self._waves = torch.zeros(3, num_envs, len(WAVES), device=self.device)  # amplitude, rate, phase
        self._instance = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self._category = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self._start = np.zeros(num_envs, np.int64)

    def _of_split(self) -> np.ndarray:
        """The numbers of the split's pictures, in the order of their labels."""
        labels, mine = self._labels, np.arange(len(self._labels))
        if self.settings.split != "all":
            low, high = SHARES[self.settings.split]
            place = Draws(key("picture", mine)).uniform("split")
            mine = mine[(low <= place) & (place < high)]
        if self.settings.pictures:
            mine = mine[np.argsort(Draws(key("picture", mine)).uniform("choice"))[: self.settings.pictures]]
        if not len(mine):
            raise SettingError(f"env.split={self.settings.split} holds none of {len(labels)} pictures; try all")
        return mine[np.argsort(labels[mine], kind="stable")]

    def _blocks_of(self) -> np.ndarray:
        """The place among the split's pictures where each block of categories begins, and their count."""
        edges = self.settings.blocks(self.categories)
        places = np.searchsorted(self._kind[self._members], edges)
        for phase in np.flatnonzero(np.diff(places) == 0):
            labels = self.kinds[edges[phase]], self.kinds[edges[phase + 1] - 1]
            raise SettingError(
                f"env.phases={self.settings.phases} leaves phase {phase} (labels {labels[0]} to {labels[1]}) without "
                f"a picture of env.split={self.settings.split}; try fewer phases"
            )
        return places

    def _begin(self, rows: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> None:
        draws = Draws(key("picture", seeds, episodes))
        start = beginnings(seeds, episodes, self.settings)
        instance = self._members[in_block(draws, "instance", start, self.settings, edges=self._blocks)]
        speed = self.settings.speed * np.array([kind in self.settings.moving for kind, _ in WAVES.values()])
        size = [most * (kind in self.settings.nuisances) for kind, most in WAVES.values()]
        rate, phases = (draws.uniform(name, 0, 1, len(WAVES)) for name in ("rate", "phase"))
        waves = np.stack([np.broadcast_to(size, rate.shape), speed * rate, phases])
        at = self._on_device(rows)
        self._waves[:, at] = self._on_device(waves.astype(np.float32))
        self._instance[at] = shown = self._on_device(instance)
        places = shown if self._pictures.device == shown.device else torch.from_numpy(instance)
        self._shown[at] = self._pictures.index_select(0, places).to(self.device)
        self._category[at] = self._on_device(self._labels[instance])
        self._start[rows] = start

    def _render(self, age: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        most, rate, phase = self._waves
        turn = torch.remainder(rate * age[:, None] + phase, 1)
        value = dict(zip(WAVES, (most * (4 * (turn - 0.5).abs() - 1)).unbind(1), strict=True))
        stops = self._on_device(stops_at(self._start + self.age, self.settings).astype(np.float32))
        factors = {
            "category": self._category.clone(),
            "instance": self._instance.clone(),
            "position": torch.stack([-value["x"], value["y"]], 1),
            "bearing": torch.stack([-value["x"], value["y"]], 1),
            "deformation": torch.stack([value[name] for name in ("xx", "xy", "yx", "yy")], 1),
            "perspective": torch.stack([value["px"], value["py"]], 1),
            "saturation": value["saturation"],
            "hue": value["hue"],
            "brightness": value["brightness"] + stops,
            "gradient": torch.stack([value["gradient_x"], value["gradient_y"]], 1),
            "phase": self._on_device(phase_of(self._start, self.age, self.settings)),
        }
        picture = self._shown.permute(0, 3, 1, 2).contiguous().float().div_(255)
        shape, look = (self.settings.size, self.settings.size), self._homography(value)
        warped = homography_warp(picture, look, shape, padding_mode="border", align_corners=False)
        lit = illuminate(recolor(warped, value["saturation"], value["hue"]), factors["brightness"], factors["gradient"])
        return lit.mul_(255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous(), factors

    def _homography(self, value: dict[str, Tensor]) -> Tensor:
        """(N, 3, 3) from points of the frame to points of the picture, both in half-widths, y downwards."""
        gaze_x, gaze_y = self.gaze.unbind(1)
        one, zero = torch.ones_like(gaze_x), torch.zeros_like(gaze_x)
        rows = [1 + value["xx"], value["xy"], value["x"]], [value["yx"], 1 + value["yy"], value["y"]]
        affine = torch.stack([*rows[0], *rows[1], value["px"], value["py"], one], 1).reshape(-1, 3, 3)
        look = torch.stack([one, zero, gaze_x, zero, one, -gaze_y, zero, zero, one], 1).reshape(-1, 3, 3)
        return affine @ look


def recolor(images: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1] with saturation times 2^saturation (N,) and hue turned by hue (N,) turns.

    One linear map an image: colours are turned about the grey axis and moved away from it. HSV's hue and saturation do
    nearly the same, by branches.
    """
    angle = 2 * torch.pi * hue
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None] / 3**0.5
    grey = images.new_full((3, 3), 1 / 3)
    across = ACROSS.to(images, non_blocking=True)
    turn = cosine * (torch.eye(3, device=images.device) - grey) + sine * across
    matrix = grey + torch.exp2(saturation)[:, None, None] * turn
    return (matrix @ images.flatten(2)).clamp_(0, 1).reshape(images.shape)


def illuminate(images: Tensor, brightness: Tensor, gradient: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1] in light of 2^brightness (N,) that grows by gradient (N, 2) to the right and up."""
    height, width = images.shape[2:]
    x = torch.linspace(-1, 1, width, device=images.device)
    y = torch.linspace(1, -1, height, device=images.device)
    slope = gradient[:, 0, None, None] * x + gradient[:, 1, None, None] * y[:, None]  # (N, H, W)
    return (images * (torch.exp2(brightness)[:, None, None] * (1 + slope))[:, None]).clamp_(0, 1)


class MovingImages(SingleWorld):
    """One picture; the same settings."""

    vector_world = MovingImagesVector
