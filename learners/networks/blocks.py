"""Blocks, and the heads that read embeddings off them for a loss."""

from torch import Tensor, nn

from learners.networks.feedback import Linear
from learners.networks.layers import Tap

EMBEDDING = 64  # dimensions of a linear head's output
HEADS = ("linear", "pool", "none")


class Head(nn.Module):
    """What of a block's output a loss sees; `linear` is the embedding of 64 dimensions of Tang et al. (2022)."""

    def __init__(self, kind: str, shape: tuple[int, int], *, squash: bool, **weights):
        """Of maps of `shape` channels and edge."""
        super().__init__()
        channels, size = shape
        self.kind, self.squash = kind, squash and kind == "linear"
        self.width = {"linear": EMBEDDING, "pool": channels, "none": channels * size**2}[kind]
        if kind == "linear":
            self.linear = Linear((EMBEDDING, channels * size**2), **weights)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to embeddings (B, D)."""
        if self.kind == "pool":
            return x.mean((2, 3))
        z = self.linear(flat(x)) if self.kind == "linear" else flat(x)
        return z.tanh() if self.squash else z


class Block(nn.Sequential):
    """The layers of a block."""

    def read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What its head reads, and the block's output, of x (B, C, H, W); one and the same but where a Tap says so."""
        outputs: list[Tensor] = []
        output = self(x, outputs)
        return outputs[self.tap], output

    @property
    def tap(self) -> int:
        """The number of the layer behind which the head reads."""
        return next((number for number, layer in enumerate(self) if isinstance(layer, Tap)), len(self) - 1)

    def forward(self, x: Tensor, outputs: list[Tensor] | None = None) -> Tensor:
        """The output (B, C', H', W'); `outputs` gets that of every layer."""
        for layer in self:
            x = layer(x)
            if outputs is not None:
                outputs.append(x)
        return x


def blocks_of(blocks: nn.ModuleList) -> list[Block]:
    """The blocks in a list of modules."""
    return [block for block in blocks if isinstance(block, Block)]


def reader(block: Block) -> nn.Module:
    """The module whose output a block's head reads."""
    return block if block.tap == len(block) - 1 else block[block.tap]


def flat(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H*W*C), in the order that costs channels_last tensors no copy."""
    return x.permute(0, 2, 3, 1).flatten(1)
