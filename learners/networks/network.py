"""CNNs as a list of blocks, each with its head.

A block is a few layers after which learning may be local; a head reads an embedding off a block's output, for a loss to
be taken on, and is no part of what the network is scored by: that is the flattened output of the last block.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from omegaconf import MISSING
from torch import Tensor, nn

from envs.errors import SettingError, check_choices, unknown
from learners.networks.blocks import HEADS, Block, Head, blocks_of, flat
from learners.networks.feedback import Conv
from learners.networks.layers import LAYERS, LayerSpec, convolution, layer_spec, size_after, stride_of
from learners.registry import look_up
from streams.seeding import generator, seeded

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}  # of the factors of a convolution's products
HEADED = ("every", "top", "none")  # which blocks have a head
DRAWING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU)


class Spec(NamedTuple):
    """What a network is made of.

    A layer is a number, for a 3x3 convolution to so many channels; a Convolution or Pool; a name of LAYERS; or a
    function from the number of channels to a module that keeps the shape and draws nothing (a normalisation, say).
    """

    blocks: tuple[tuple[LayerSpec, ...], ...]
    squash: bool = False  # whether a head's linear layer is followed by a tanh
    gain: float = 1.0  # weights are drawn uniform in +-gain/sqrt(fan in)
    head: str = "linear"  # what of a block a loss sees: linear (flatten, 64), pool (mean over space) or none (flatten)
    input_range: float = 2.0  # images come in from minus this to this
    precision: str = "float32"  # of the factors of a convolution's products: a key of PRECISIONS

    def stride(self) -> int:
        """By how much images are made smaller on their way up."""
        return math.prod(stride_of(layer) for block in self.blocks for layer in block)


SPECS: dict[str, Spec] = {
    # Tang, Yang and Amit (2022), the network of their target propagation
    "conv4": Spec(((32, "pool", "tanh"), (64, "pool", "tanh"), (128, "pool", "tanh"), (256, "pool", "tanh")), True),
    # Tang et al. (2022), the network of Table 1: 512 * 4 * 4 = 8192 features of 32-pixel images. The five convolutions
    # that the paper lists are the blocks; its sixth layer is the linear one, which is our head.
    "conv6": Spec(((32, "hardtanh"), (32, "pool"), (64, "hardtanh"), (64, "pool"), (512, "pool")), False),
    # The same convolutions, the last pooled twice: 512 * 2 * 2 = 2048 features of 32-pixel images, which a linear probe
    # reads better here, and four times faster.
    "conv5": Spec(((32, "hardtanh"), (32, "pool"), (64, "hardtanh"), (64, "pool"), (512, "pool", "pool"))),
    # Illing, Ventura, Bellec and Gerstner (2021), "Local plasticity rules can learn deep representations using
    # self-supervised contrastive predictions": VGG-6. Gain by He et al. (2015), since there is no normalisation.
    "vgg6": Spec(
        ((128, "relu"), (256, "relu", "pool"), (256, "relu"), (512, "relu", "pool"), *2 * [(1024, "relu", "pool")]),
        squash=False,
        gain=6**0.5,
    ),
}


def spec_of(settings: "NetworkSettings | str") -> Spec:
    """One of SPECS, one's own Spec by its dotted path, or the blocks of a YAML file, with what the settings change.

    Raises SettingError: none of these, or a block would not learn.
    """
    settings = NetworkSettings(settings) if isinstance(settings, str) else settings
    name = settings.name
    if settings.blocks is None:
        spec = look_up("network.name", name, SPECS, expected="a Spec", fits=lambda part: isinstance(part, Spec))
    else:
        for block in settings.blocks:
            if not isinstance(block, Sequence) or isinstance(block, str):
                raise SettingError(f"network.blocks: {block} is no block; write a list of layers, as [[32],[64,pool]]")
        spec = Spec(tuple(tuple(map(layer_spec, block)) for block in settings.blocks))
    changes = {key: getattr(settings, key) for key in ("squash", "gain", "head", "input_range", "precision")}
    spec = spec._replace(**{key: value for key, value in changes.items() if value is not None})
    if not spec.blocks:
        raise SettingError(f"network.name={name} has no blocks; give it one or more")
    for number, block in enumerate(spec.blocks, 1):
        if not any(map(convolution, block)):
            raise SettingError(f"network.name={name}: block {number} has no convolution; add a number of channels")
    return spec


@dataclass
class NetworkSettings:
    """network=NAME."""

    name: str = MISSING  # a key of SPECS, or the dotted path of a Spec of your own; a label where there are blocks
    blocks: Any = None  # lists of layers, one a block, in place of the name's: learners/networks/layers.py says which
    head: str | None = None  # what of a block a loss sees: linear (flatten, 64), pool (mean over space), none (flatten)
    squash: bool | None = None  # whether a linear head ends with a tanh
    gain: float | None = None  # weights are drawn uniform in +-gain/sqrt(fan in)
    input_range: float | None = None  # images in [0, 1] come in from minus this to this; 2 where not given
    precision: str | None = None  # of a convolution's factors: float32, or bfloat16, which many processors do faster

    def __post_init__(self):
        if self.head is not None:
            check_choices(self, group="network", head=HEADS)
        if self.precision is not None:
            check_choices(self, group="network", precision=PRECISIONS)
        if self.input_range is not None and self.input_range <= 0:
            raise SettingError(f"network.input_range={self.input_range} shows nothing; try 1 or 2")


class Network(nn.Module):
    """Blocks, and a head for each (or for the last alone). Weights are a function of (seed, layer), not of feedback."""

    def __init__(self, settings: "NetworkSettings | str", *, size: int, feedback: str, heads: str, seed: int):
        """Builds a network for images (B, 3, size, size), with heads at `every` block, at the `top` or `none`.

        Raises SettingError: an unknown network or place of heads, or images too small for it.
        """
        super().__init__()
        if heads not in HEADED:
            raise unknown("heads", heads, HEADED)
        self.spec, self.size = spec_of(settings), size
        spec = self.spec
        name = settings if isinstance(settings, str) else settings.name
        if size < spec.stride():
            halvings = f"makes it {spec.stride()} times smaller"
            raise SettingError(f"env.size={size} is too small for {name}, which {halvings}; try {spec.stride() * 2}")
        self.blocks, self.heads = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for number, layers in enumerate(spec.blocks, 1):
            block, shapes = self._block(number, layers, (channels, size), seed=seed, feedback=feedback)
            channels, size = shapes[-1]
            self.blocks.append(block)
            if heads == "every" or (heads == "top" and number == len(spec.blocks)):
                weights = init_kwargs(seed, f"head{number}", feedback=feedback)
                self.heads.append(Head(spec.head, shapes[block.tap], squash=spec.squash, **weights))

    def _block(
        self, number: int, layers: Sequence[LayerSpec], shape: tuple[int, int], *, seed: int, feedback: str
    ) -> tuple[Block, list[tuple[int, int]]]:
        """A block on maps of `shape` channels and edge, and the shape that each of its layers makes."""
        modules: list[nn.Module] = []
        shapes, (channels, size) = [], shape
        for layer in layers:
            where, conv = f"block{number}/layer{len(modules)}", convolution(layer)
            size = size_after(layer, size)
            if conv:
                weights = init_kwargs(seed, where, feedback=feedback, gain=self.spec.gain)
                kernel = (conv.channels, channels, conv.kernel, conv.kernel)
                weights |= {"stride": conv.stride, "padding": conv.pad, "padding_mode": conv.padding_mode}
                weights["precision"] = PRECISIONS[self.spec.precision]
                modules.append(Conv(kernel, bias=conv.bias, **weights))
                channels = conv.channels
            else:
                with seeded(seed, f"weights/{where}"):  # which a layer of one's own may have
                    modules.append(_layer(layer, channels))
            shapes.append((channels, size))
        return Block(*modules), shapes

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in [0, 1], which are scaled here, to features (B, D): what the network is scored by."""
        return flat(self.outputs(images)[-1])

    def outputs(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) float in [0, 1] to the output (B, C, H, W) of every block."""
        outputs = [self.normalize(images.contiguous(memory_format=torch.channels_last))]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs[1:]

    def normalize(self, images: Tensor) -> Tensor:
        """Images in [0, 1] to the network's inputs."""
        return normalize(images, reach=self.spec.input_range)

    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in [0, 1] to embeddings (B, D) of the top head; errors go down to the first block."""
        x = self.normalize(images.contiguous(memory_format=torch.channels_last))
        *lower, top = blocks_of(self.blocks)
        for block in lower:
            x = block(x)
        return self.heads[-1](top.read(x)[0])

    def readings(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For every block what its head reads, and its output (B, C, H, W), of (B, 3, H, W) float in [0, 1]."""
        readings, x = [], self.normalize(images.contiguous(memory_format=torch.channels_last))
        for block in blocks_of(self.blocks):
            readings.append(block.read(x))
            x = readings[-1][1]
        return readings

    def embeddings(self, images: Tensor) -> list[Tensor]:
        """The embedding (B, D) of every head there is, from the lowest to the top."""
        readings = self.readings(images)[-len(self.heads) :]
        return [head(read) for head, (read, _) in zip(self.heads, readings, strict=True)]


def normalize(images: Tensor, *, reach: float = 2.0) -> Tensor:
    """Images in [0, 1] to inputs in [-reach, reach]: a fixed scale, since statistics of a stream follow the scene."""
    return (images - 0.5) * (2 * reach)


def _layer(layer: LayerSpec, channels: int) -> nn.Module:
    if callable(layer):
        module = layer(channels)
        for part in module.modules():
            if isinstance(part, DRAWING):
                raise SettingError(f"a network's {type(part).__name__} draws what no resumed run would; leave it out")
        return module
    if not isinstance(layer, str) or layer not in LAYERS:
        raise unknown("a layer of the network", str(layer), LAYERS)
    return LAYERS[layer](channels)


def init_kwargs(seed: int, where: str, *, feedback: str, gain: float = 1.0) -> dict:
    """What a layer's weights are drawn with: keywords of Layer, a function of (seed, where)."""
    generators = generator(seed, f"weights/{where}"), generator(seed, f"feedback/{where}")
    return {"feedback": feedback, "generators": generators, "gain": gain}
