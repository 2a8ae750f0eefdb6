"""CNNs as a list of blocks, each with its head.

A block is a few layers after which learning may be local; a head reads an embedding off a block's output, for a loss to
be taken on, and is no part of what the network is scored by: that is the flattened output of the last block.
"""

import torch
from torch import Tensor, nn

from envs.errors import SettingError, unknown
from learners.feedback import Conv, Linear
from streams.seeding import generator

EMBEDDING = 64  # dimensions of a head's output

# blocks of layers; a number is a 3x3 convolution to so many channels
SPECS: dict[str, tuple[tuple[int | str, ...], ...]] = {
    # Tang, Yang and Amit (2022), the network of their target propagation
    "conv4": ((32, "pool", "tanh"), (64, "pool", "tanh"), (128, "pool", "tanh"), (256, "pool", "tanh")),
}


class Head(nn.Module):
    """Flattened block output to an embedding in (-1, 1)^64 (Tang et al. 2022, conv4: linear, then tanh)."""

    def __init__(self, features: int, **drawn):
        super().__init__()
        self.linear = Linear((EMBEDDING, features), **drawn)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(flat(x)).tanh()


class Network(nn.Module):
    """Blocks, and a head for each (or for the last alone). Weights are a function of (seed, layer), not of feedback."""

    def __init__(self, name: str, *, size: int, feedback: str, heads: str, seed: int):
        """Builds a network of SPECS for images (B, 3, size, size), with heads at `every` block or at the `top`.

        Raises:
            SettingError: an unknown network, or images too small for it.
        """
        super().__init__()
        if name not in SPECS:
            raise unknown("network.name", name, SPECS)
        halvings = sum(block.count("pool") for block in SPECS[name])
        if size < 2**halvings:
            raise SettingError(
                f"env.size={size} is too small for {name}, which halves it {halvings} times; try {2**halvings * 2}"
            )
        self.blocks, self.heads = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for number, spec in enumerate(SPECS[name], 1):
            layers = []
            for layer in spec:
                if isinstance(layer, int):
                    where = f"block{number}/layer{len(layers)}"
                    layers.append(Conv((layer, channels, 3, 3), feedback=feedback, generators=_generators(seed, where)))
                    channels = layer
                else:
                    layers.append({"pool": nn.MaxPool2d(2), "tanh": nn.Tanh()}[layer])
                    size //= 2 if layer == "pool" else 1
            self.blocks.append(nn.Sequential(*layers))
            if heads == "every" or number == len(SPECS[name]):
                drawn = {"feedback": feedback, "generators": _generators(seed, f"head{number}")}
                self.heads.append(Head(channels * size * size, **drawn))

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in [0, 1] to (B, D): what the network is scored by."""
        x = prepared(images)
        for block in self.blocks:
            x = block(x)
        return flat(x)


def prepared(images: Tensor) -> Tensor:
    """Images in [0, 1] to inputs in [-2, 2]: a fixed scale, since statistics of a stream would follow the scene."""
    return (images - 0.5) * 4


def flat(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H*W*C), in the order that costs channels_last tensors no copy."""
    return x.permute(0, 2, 3, 1).flatten(1)


def _generators(seed: int, where: str) -> tuple[torch.Generator, torch.Generator]:
    return generator(seed, f"weights/{where}"), generator(seed, f"feedback/{where}")
