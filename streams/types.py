"""The named tuples that cross package boundaries. Shapes: N worlds, B pairs, H W pixels."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

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


class Source(Iterator[Frames], Protocol):
    """Frames of a live world or of recordings, step after step."""

    @property
    def seconds(self) -> float:
        """Seconds spent in here so far."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next frames depend on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the frames that followed the saved ones."""

    def close(self) -> None:
        """Lets go of what is open."""


@runtime_checkable
class Rounds(Protocol):
    """A source that ends, or begins anew, after `length` steps; fewer, the more rows it shows."""

    length: int

    def rows_for(self, length: int) -> int:
        """The number of rows beyond which a time round is shorter than so many steps; 0 where it always is."""


@runtime_checkable
class OutOfOrder(Protocol):
    """A source whose frames do not come in the order of time, and which knows what came before each."""

    def look_back(self, gap_at: Callable[[int, int], Tensor]) -> None:
        """Takes the gaps (N,) of each step, `gap_at(step, N)`, so that earlier frames can be read ahead."""

    def before(self) -> tuple[Tensor, Tensor]:
        """Images (N, H, W, 3) and episodes (N,) at those gaps before the last frames; -1 for none."""
