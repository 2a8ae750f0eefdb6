"""Tasks and features: images with labels, and what an encoder makes of them.

An encoder is any callable from images (B, 3, H, W) float in [0, 1] to features (B, D). A task's images are encoded once
for all probes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from envs.errors import SettingError

BATCHES = {"cpu": 64}  # images encoded at once: more do not stay in the cache of a CPU
BATCH = 250  # elsewhere
BLOCK_FEATURES = 1024  # of a block below the top, at most
Encoder = Callable[[Tensor], Tensor]


class LabelledImages(NamedTuple):
    """Images to classify."""

    images: Tensor  # (M, 3, H, W) uint8
    labels: Tensor  # (M,) int64
    factors: dict[str, Tensor] = {}  # noqa: RUF012  (M, ...) ground truth of the images, where a world tells it


class Task(NamedTuple):
    """A classification task; a probe learns on `train`, chooses its strength on `validation`, is scored on `test`."""

    name: str
    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    classes: int
    note: str = ""  # how its images were changed to be shown to the encoder
    kinds: Sequence[int] = ()  # (K,) what each class is called where the images come from, if not by its number
    names: Sequence[str] = ()  # (K,) what a person calls each class, where that is known

    @property
    def class_names(self) -> list[str]:
        """(K,) what each class is called: by name, by the number of where the images come from, or by its own."""
        return [str(name) for name in self.names or self.kinds or range(self.classes)]


class Split(NamedTuple):
    """Something known of a task's images: features (M, D), labels (M,) int64 or numbers (M, K) of each part."""

    train: Tensor
    validation: Tensor
    test: Tensor


def encoded(encode: Encoder, task: Task, *, device: torch.device) -> Split:
    """The features (M, D) of each part of a task."""
    return Split(*(encode_images(encode, part.images, device=device) for part in task[1:4]))


def labels_of(task: Task, device: torch.device) -> Split:
    """The labels (M,) of each part of a task. Raises SettingError: a task of one class."""
    if len(task.train.labels.unique()) < 2:
        raise SettingError(f"{task.name} shows one class only, which leaves nothing to tell apart; add classes")
    return Split(*(part.labels.to(device) for part in task[1:4]))


@torch.no_grad()
def encode_images(encode: Encoder, images: Tensor, *, device: torch.device) -> Tensor:
    """(M, D) float32 on the device, of images (M, 3, H, W) uint8."""
    features: Tensor | None = None  # as many rows as images; parts put together at the end would take twice the room
    first = 0
    for part in images.split(BATCHES.get(device.type, BATCH)):
        encoded = encode(part.to(device).float().div_(255))
        if features is None:
            features = encoded.new_empty(len(images), *encoded.shape[1:])
        features[first : first + len(part)] = encoded
        first += len(part)
    assert features is not None
    return features


def pooled(maps: Tensor) -> Tensor:
    """A block's output (B, C, H, W) as features (B, D), averaged over the largest square grid with D within 1,024."""
    channels, height = maps.shape[1:3]
    side = max(int((BLOCK_FEATURES / channels) ** 0.5), 1)
    return flat(adaptive_avg_pool2d(maps, side) if side < height else maps)


def flat(maps: Tensor) -> Tensor:
    """A block's output (B, C, H, W) as features (B, H*W*C), in the order that costs channels_last tensors no copy."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def all_pooled(maps: Sequence[Tensor]) -> Tensor:
    """Every block's output (B, C, H, W) as features (B, D) beside one another, each pooled as `pooled` does."""
    return torch.cat([*map(pooled, maps)], 1)


FEATURES: dict[str, Callable[[Sequence[Tensor]], Tensor]] = {  # eval.features: from the outputs of all blocks
    "last": lambda maps: flat(maps[-1]),
    "all_blocks": all_pooled,
    "pooled": lambda maps: maps[-1].mean((2, 3)),
}


def encoded_blocks(
    encode_blocks: Callable[[Tensor], list[Tensor]], task: Task, *, device: torch.device, kind: str = "last"
) -> tuple[list[Split], Split]:
    """The features of every block (pooled below the top, at the top as they are), and those of `kind`, in one pass."""
    widths: list[int] = []

    def side_by_side(images: Tensor) -> Tensor:
        maps = encode_blocks(images)
        *lower, top = maps
        blocks = [*map(pooled, lower), flat(top), *([FEATURES[kind](maps)] if kind != "last" else [])]
        widths[:] = [block.shape[1] for block in blocks]
        return torch.cat(blocks, 1)

    parts = [encode_images(side_by_side, part.images, device=device).split(widths, 1) for part in task[1:4]]
    splits = [Split(*block) for block in zip(*parts, strict=True)]
    return (splits, splits[-1]) if kind == "last" else (splits[:-1], splits[-1])


PLAIN: dict[str, Encoder] = {  # need no learning
    "pixels": lambda images: images.flatten(1),  # (B, 3*H*W)
    "mean_colour": lambda images: images.mean((2, 3)),  # (B, 3), which beats chance where colour tells the class
}


def majority_class(task: Task) -> float:
    """Share of the test images that are of the commonest class of the training images: what is known without looking.

    As it is measured on test images, it may lie a little below one in the number of classes, as any score may.
    """
    commonest = task.train.labels.mode().values
    return float((task.test.labels == commonest).float().mean())


def numbered(labels: Tensor, kinds: Sequence[int]) -> Tensor:
    """The class (M,) of each label: its place among `kinds`, which rise."""
    return torch.searchsorted(torch.as_tensor(kinds).to(labels), labels)


def ranks(labels: Tensor) -> Tensor:
    """(M,) how many rows before each have its label."""
    grouped, order = labels.sort(stable=True)
    places = torch.arange(len(labels), device=labels.device)
    rank = torch.empty_like(places)
    rank[order] = places - torch.searchsorted(grouped, grouped)  # of which each is the place of its label's first
    return rank
