"""What a block is made of: layers as a Spec or a YAML file names them, and the modules that are not torch's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from envs.errors import SettingError, unknown

PADDINGS = ("zeros", "reflect", "replicate", "circular")


@dataclass(frozen=True)
class Convolution:
    """`{conv: CHANNELS, kernel: K, ...}`, or a number of channels alone, for 3x3."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int | None = None  # pixels on each side; where not given, half the kernel
    padding_mode: str = "zeros"
    bias: bool = False

    @property
    def pad(self) -> int:
        """Pixels on each side."""
        return self.kernel // 2 if self.padding is None else self.padding

    def size(self, size: int) -> int:
        """The edge of what it makes of maps of edge `size`."""
        return (size + 2 * self.pad - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class Pool:
    """`pool` (the maximum of 2x2), or `{max_pool: K, stride: S, padding: P}` and `{mean_pool: ...}`."""

    kernel: int = 2
    stride: int | None = None  # where not given, the kernel
    padding: int = 0
    mean: bool = False

    def __call__(self, channels: int) -> nn.Module:
        """The module."""
        return (nn.AvgPool2d if self.mean else nn.MaxPool2d)(self.kernel, self.stride, self.padding)

    def size(self, size: int) -> int:
        """The edge of what it makes of maps of edge `size`."""
        return (size + 2 * self.padding - self.kernel) // (self.stride or self.kernel) + 1


class Triangle(nn.Module):
    """`relu(x - mean over channels)^power` (Coates, Ng and Lee 2011; with a power, Journe et al. 2023)."""

    def __init__(self, power: float = 1.0):
        super().__init__()
        if power <= 0:
            raise SettingError(f"a network's triangle has power {power}; try 1")
        self.power = power

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        x = (x - x.mean(1, keepdim=True)).relu()
        return x if self.power == 1 else x.pow(self.power)


class Standardise(nn.Module):
    """Each image less its mean and in units of its deviation, so that no row depends on another."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        deviation, mean = torch.std_mean(x, (1, 2, 3), keepdim=True)
        return (x - mean) / (deviation + 1e-5)


class Tap(nn.Module):
    """`head`: marks where the block's head reads, if not at its end."""

    def forward(self, x: Tensor) -> Tensor:
        """The same."""
        return x


def batch_norm(channels: int) -> nn.Module:
    """Normalises each channel over the batch, without weights."""
    return nn.BatchNorm2d(channels, affine=False)


LAYERS: dict[str, Callable[[int], nn.Module]] = {  # from the number of channels to a module
    "pool": Pool(),
    "tanh": lambda channels: nn.Tanh(),
    "hardtanh": lambda channels: nn.Hardtanh(),
    "relu": lambda channels: nn.ReLU(),
    "triangle": lambda channels: Triangle(),
    "norm": batch_norm,
    "standardise": lambda channels: Standardise(),
    "head": lambda channels: Tap(),
}
WITH_VALUES: dict[str, Callable[..., Any]] = {  # {NAME: VALUE, ...} of a YAML file
    "conv": Convolution,
    "max_pool": Pool,
    "mean_pool": partial(Pool, mean=True),
    "triangle": lambda power: lambda channels: Triangle(power),
}
LayerSpec = int | str | Convolution | Callable[[int], nn.Module]


def layer_spec(entry: Any) -> LayerSpec:
    """A layer as a YAML file writes it, read. Raises SettingError: what is none."""
    if isinstance(entry, Mapping):
        name = next(iter(entry), "")
        if name not in WITH_VALUES:
            raise unknown("a layer of network.blocks", str(name), WITH_VALUES)
        more = {key: value for key, value in entry.items() if key != name}
        try:
            return WITH_VALUES[name](entry[name], **more)
        except TypeError as error:
            raise SettingError(f"network.blocks: {dict(entry)} is no layer ({error}); see learners/networks") from error
    if isinstance(entry, str) and entry not in LAYERS:
        raise unknown("a layer of the network", entry, LAYERS)
    return entry


def convolution(layer: LayerSpec) -> Convolution | None:
    """The convolution that a layer of a Spec is; None for another layer."""
    if isinstance(layer, int):
        return Convolution(layer)
    return layer if isinstance(layer, Convolution) else None


def size_after(layer: LayerSpec, size: int) -> int:
    """The edge of what a layer makes of maps of edge `size`; a layer of one's own keeps it."""
    found = convolution(layer) or (LAYERS.get(layer) if isinstance(layer, str) else layer)
    return found.size(size) if isinstance(found, Convolution | Pool) else size


def stride_of(layer: LayerSpec) -> int:
    """By how much a layer makes maps smaller."""
    found = convolution(layer) or (LAYERS.get(layer) if isinstance(layer, str) else layer)
    if isinstance(found, Pool):
        return found.stride or found.kernel
    return found.stride if isinstance(found, Convolution) else 1
