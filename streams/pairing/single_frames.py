"""Every frame once, for a learner that keeps the embeddings of earlier ones itself."""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any

from envs.errors import SettingError, unknown
from streams.pairing.frame_buffer import GAP_DISTRIBUTIONS, gaps
from streams.pairing.pairing import PairsSettings, PairStream, as_float, regrouped_frames
from streams.process.ranks import Ranks
from streams.seeding import RowGenerator
from streams.types import OutOfOrder, Pairs, Source


class SingleFrameStream(Iterator[Pairs]):
    """All worlds' frames at each step, and the gap to the earlier view of each, which is not shown again.

    The first view of its Pairs is None, and rows are all N worlds in order, also those whose episode has just begun.
    """

    def __init__(self, frames: Source, settings: PairsSettings, *, seed: int = 0, ranks: Ranks | None = None):
        if settings.gap < 1:
            raise SettingError(f"pairs.gap={settings.gap} pairs a frame with itself; try 1 or more")
        if settings.gap_distribution not in GAP_DISTRIBUTIONS:
            raise unknown("pairs.gap_distribution", settings.gap_distribution, GAP_DISTRIBUTIONS)
        self.frames, self.settings, self.gap, self.seed = frames, settings, settings.gap, seed
        if isinstance(frames, OutOfOrder):
            raise SettingError("loss.remember=true needs frames in the order of time; set stream.order=sequential")
        self._ranks = ranks or Ranks()
        self.seconds = 0.0  # spent here, not in the frames' own making

    def __next__(self) -> Pairs:
        frames = next(self.frames)
        start = perf_counter()
        worlds = len(frames.episode)
        first, total = worlds * self._ranks.rank, worlds * self._ranks.size
        draws = RowGenerator.of(self.seed, "gap", frames.step, first=first, total=total)
        gap = gaps(self.settings.gap_distribution, self.gap, count=worlds, draws=draws)
        now = as_float(frames.images)
        self.seconds += perf_counter() - start
        return Pairs(None, now, gap, frames.episode, (frames.step + 1) * total)

    def statistics(self) -> dict[str, dict[str, float]]:
        """Returns no series: the memory is the learner's."""
        return {}

    def regrouped(self, states: Sequence[dict[str, Any]], ranks: Ranks) -> dict[str, Any]:
        """The state with which this rank goes on, from those of other ranks, as many as there were."""
        return {"frames": regrouped_frames(states, ranks)}

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of the source: nothing else is kept here."""
        return {"frames": self.frames.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the frames that followed the saved ones."""
        self.frames.load_state_dict(state["frames"])


Stream = PairStream | SingleFrameStream  # of Pairs, whose first view is None in the latter
