"""Images and pairs of them as a network takes them, from what people have."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from envs.arguments import a_kind
from envs.errors import SettingError
from streams.types import Pairs


def as_images(images: Any, network: nn.Module, *, size: int) -> Tensor:
    """Tensors or arrays (B, 3, size, size) or (B, size, size, 3), uint8 or float in [0, 1], as a network takes them.

    These are (B, 3, size, size) float in [0, 1], where the network is. What floats lie in is not looked at, for which a
    device would have to be waited for.

    Raises SettingError: neither, or of another shape or kind of number.
    """
    if isinstance(images, np.ndarray) and images.dtype.kind in "uif":
        images = torch.from_numpy(images.astype(images.dtype.newbyteorder("=")))  # a copy: it may be read-only
    wanted = f"give (B, 3, {size}, {size}) or (B, {size}, {size}, 3)"
    if not isinstance(images, Tensor):
        raise SettingError(f"images are {a_kind(images)}; {wanted}, a tensor or array, uint8 or float")
    last = images.ndim == 4 and tuple(images.shape[1:]) == (size, size, 3)
    if not last and (images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size)):
        raise SettingError(f"images {tuple(images.shape)} do not fit; {wanted}, resized if need be")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise SettingError(f"images are {images.dtype}; give uint8, or float in [0, 1]")
    weight = next(network.parameters())
    images = (images.permute(0, 3, 1, 2) if last else images).to(weight.device)
    return images.to(weight.dtype).div(255) if images.dtype == torch.uint8 else images.to(weight.dtype)


def check_pairs(pairs: Any, network: nn.Module, *, size: int) -> None:
    """Raises SettingError where a learner cannot take a batch of pairs, whose `first` may be None."""
    if not isinstance(pairs, Pairs):
        raise SettingError(f"pairs are {a_kind(pairs)}; give streams.Pairs, as streams.pairs makes them")
    weight, shape = next(network.parameters()), (3, size, size)
    wanted = f"give (B, 3, {size}, {size}) float in [0, 1]"
    for name in ("first", "second") if pairs.first is not None else ("second",):
        images = getattr(pairs, name)
        if not isinstance(images, Tensor):
            raise SettingError(f"pairs.{name} is {a_kind(images)}; give a tensor (B, 3, {size}, {size})")
        if tuple(images.shape[1:]) != shape or images.dtype != weight.dtype:
            raise SettingError(f"pairs.{name} is {tuple(images.shape)} {_kind(images)} and does not fit; {wanted}")
        if images.device != weight.device:
            raise SettingError(
                f"pairs.{name} is on {images.device}, and the learner on {weight.device}; make both with one device="
            )
    counts = {name: len(of) for name, of in pairs._asdict().items() if name != "frames" and of is not None}
    if len({*counts.values()}) > 1:
        rows = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise SettingError(f"pairs have {rows}; give as many rows of each")


def _kind(images: Tensor) -> str:
    return str(images.dtype).removeprefix("torch.")
