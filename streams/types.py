"""The named tuples that cross package boundaries. Shapes: N worlds, B pairs, H W pixels."""

from typing import NamedTuple

from torch import Tensor


class Frames(NamedTuple):
    """One time step of N parallel worlds."""

    images: Tensor  # (N, H, W, 3) uint8, as the world gave them
    episode: Tensor  # (N,) int64, on the CPU: which episode; unique over the whole stream
    step: int  # position in the stream
    factors: dict[str, Tensor]  # (N, ...) ground truth: category, instance, position, ...


class Rows(NamedTuple):
    """The frames of pairs, as a memory stores them: row i of every view shows the same thing."""

    views: tuple[Tensor, ...]  # (B, H, W, 3) uint8 each, on the device: the earlier and the later frame, or one alone
    gap: Tensor  # (B,) int64 steps between the two, on the CPU; 0 for one alone
    episode: Tensor  # (B,) int64, on the CPU
    labels: dict[str, Tensor]  # (B,) int64: category and phase, where the world has them; only for statistics


class Pairs(NamedTuple):
    """A batch of positive pairs; row i of `first` and row i of `second` show the same thing."""

    first: Tensor | None  # (B, 3, H, W) float32 in [0, 1], channels_last: the earlier view; None in a SingleFrameStream
    second: Tensor  # (B, 3, H, W) float32 in [0, 1], channels_last: the later view, the positive of the first
    gap: Tensor  # (B,) int64 steps between the two; 0 for two augmentations of one frame
    episode: Tensor  # (B,) int64: two rows with one episode are no negatives of each other
    frames: int  # world frames so far; a step's own count from its last batch on
