"""Data the encoder never saw, as tasks for the same probes."""

from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from torchvision.transforms.v2.functional import resize

from envs.errors import unknown
from runs.probes import LabelledImages, Task

DIGITS_SPLIT = (500, 297, 1000)  # training, validation and test images


def digits(size: int) -> Task:
    """scikit-learn's 1,797 handwritten digits (8x8 grey), resized to (3, size, size); the split is always the same."""
    found = load_digits()
    images = torch.from_numpy(found.images).mul(255 / 16).round().to(torch.uint8)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    images = resize(images[order, None].expand(-1, 3, -1, -1), [size, size], antialias=True)
    labels = torch.from_numpy(found.target)[order]
    parts = zip(images.split(DIGITS_SPLIT), labels.split(DIGITS_SPLIT), strict=True)
    return Task("digits", *(LabelledImages(*part) for part in parts), classes=10)


TRANSFER: dict[str, Callable[[int], Task]] = {"digits": digits}


def load(name: str, *, size: int) -> Task:
    """The transfer task of this name, at this image size.

    Raises:
        SettingError: there is none such.
    """
    if name not in TRANSFER:
        raise unknown("eval.transfer", name, TRANSFER)
    return TRANSFER[name](size)
