"""CNNs as a list of blocks, each with its head.

A block is a few layers after which learning may be local; a head reads an embedding off a block's output, for a loss to
be taken on, and is no part of what the network is scored by: that is the flattened output of the last block.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from omegaconf import MISSING
from torch import Tensor, nn

from envs.errors import SettingError, unknown
from learners.networks.feedback import Conv, Linear
from learners.registry import look_up
from streams.seeding import generator, seeded

HEADS = ("every", "top", "none")  # blocks that have one
EMBEDDING = 64  # dimensions of a head's output
LAYERS = dict[str, Callable[[], nn.Module]](
    pool=lambda: nn.MaxPool2d(2), tanh=nn.Tanh, hardtanh=nn.Hardtanh, relu=nn.ReLU
)
DRAWING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU)


class Spec(NamedTuple):
    """What a network is made of.

    A layer is a number, for a 3x3 convolution to so many channels; a name of LAYERS; or a function from the number of
    channels to a module that keeps the shape and draws nothing (a normalisation, say).
    """

    blocks: tuple[tuple[int | str | Callable[[int], nn.Module], ...], ...]
    squash: bool  # whether a head's linear layer is followed by a tanh
    gain: float = 1.0  # weights are drawn uniform in +-gain/sqrt(fan in)

    def halvings(self) -> int:
        """How many times the images are halved on their way up."""
        return sum(block.count("pool") for block in self.blocks)


SPECS: dict[str, Spec] = {
    # Tang, Yang and Amit (2022), the network of their target propagation
    "conv4": Spec(((32, "pool", "tanh"), (64, "pool", "tanh"), (128, "pool", "tanh"), (256, "pool", "tanh")), True),
    # Tang et al. (2022), the network of Table 1: 512 * 4 * 4 = 8192 features of 32-pixel images. The five convolutions
    # that the paper lists are the blocks; its sixth layer is the linear one, which is our head.
    "conv6": Spec(((32, "hardtanh"), (32, "pool"), (64, "hardtanh"), (64, "pool"), (512, "pool")), False),
    # Illing, Ventura, Bellec and Gerstner (2021), "Local plasticity rules can learn deep representations using
    # self-supervised contrastive predictions": VGG-6. Gain by He et al. (2015), since there is no normalisation.
    "vgg6": Spec(
        ((128, "relu"), (256, "relu", "pool"), (256, "relu"), (512, "relu", "pool"), *2 * [(1024, "relu", "pool")]),
        squash=False,
        gain=6**0.5,
    ),
}


def spec_of(name: str) -> Spec:
    """One of SPECS, or one's own Spec by its dotted path. Raises SettingError: neither, or a block would not learn."""
    spec = look_up("network.name", name, SPECS, expected="a Spec", fits=lambda part: isinstance(part, Spec))
    if not spec.blocks:
        raise SettingError(f"network.name={name} has no blocks; give it one or more")
    for number, block in enumerate(spec.blocks, 1):
        if not any(isinstance(layer, int) for layer in block):
            raise SettingError(f"network.name={name}: block {number} has no convolution; add a number of channels")
    return spec


class Head(nn.Module):
    """Flattened block output to an embedding of 64 dimensions (Tang et al. 2022): linear, and with conv4 a tanh."""

    def __init__(self, features: int, *, squash: bool, **weights):
        super().__init__()
        self.linear = Linear((EMBEDDING, features), **weights)
        self.squash = squash

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to embeddings (B, 64)."""
        z = self.linear(flat(x))
        return z.tanh() if self.squash else z


@dataclass
class NetworkSettings:
    """network=NAME."""

    name: str = MISSING  # a key of SPECS, or the dotted path of a Spec of your own


class Network(nn.Module):
    """Blocks, and a head for each (or for the last alone). Weights are a function of (seed, layer), not of feedback."""

    def __init__(self, name: str, *, size: int, feedback: str, heads: str, seed: int):
        """Builds a network for images (B, 3, size, size), with heads at `every` block, at the `top` or `none`.

        Raises SettingError: an unknown network or place of heads, or images too small for it.
        """
        super().__init__()
        if heads not in HEADS:
            raise unknown("heads", heads, HEADS)
        self.spec = spec = spec_of(name)
        least = 2 ** spec.halvings()
        if size < least:
            raise SettingError(
                f"env.size={size} is too small for {name}, which halves it {spec.halvings()} times; try {least * 2}"
            )
        self.blocks, self.heads = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for number, block in enumerate(spec.blocks, 1):
            layers: list[nn.Module] = []
            for layer in block:
                where = f"block{number}/layer{len(layers)}"
                if isinstance(layer, int):
                    weights = init_kwargs(seed, where, feedback=feedback, gain=spec.gain)
                    layers.append(Conv((layer, channels, 3, 3), **weights))
                    channels = layer
                else:
                    with seeded(seed, f"weights/{where}"):  # which a layer of one's own may have
                        layers.append(_layer(layer, channels))
            size //= 2 ** block.count("pool")
            self.blocks.append(nn.Sequential(*layers))
            if heads == "every" or (heads == "top" and number == len(spec.blocks)):
                weights = init_kwargs(seed, f"head{number}", feedback=feedback)
                self.heads.append(Head(channels * size * size, squash=spec.squash, **weights))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in [0, 1], which are scaled here, to features (B, D): what the network is scored by."""
        return flat(self.outputs(images)[-1])

    def outputs(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) float in [0, 1] to the output (B, C, H, W) of every block."""
        outputs = [normalize(images.contiguous(memory_format=torch.channels_last))]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs[1:]


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """As one that does not learn: a BatchNorm takes the statistics that it has gathered, and gathers none."""
    learning = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(learning)


def normalize(images: Tensor) -> Tensor:
    """Images in [0, 1] to inputs in [-2, 2]: a fixed scale, since statistics of a stream would follow the scene."""
    return (images - 0.5) * 4


def flat(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H*W*C), in the order that costs channels_last tensors no copy."""
    return x.permute(0, 2, 3, 1).flatten(1)


def _layer(layer: str | Callable[[int], nn.Module], channels: int) -> nn.Module:
    if callable(layer):
        module = layer(channels)
        for part in module.modules():
            if isinstance(part, DRAWING):
                raise SettingError(f"a network's {type(part).__name__} draws what no resumed run would; leave it out")
        return module
    if layer not in LAYERS:
        raise unknown("a layer of the network", layer, LAYERS)
    return LAYERS[layer]()


def init_kwargs(seed: int, where: str, *, feedback: str, gain: float = 1.0) -> dict:
    """What a layer's weights are drawn with: keywords of Layer, a function of (seed, where)."""
    generators = generator(seed, f"weights/{where}"), generator(seed, f"feedback/{where}")
    return {"feedback": feedback, "generators": generators, "gain": gain}
