"""One recording in one order, time round after time round: where each step's frames lie in it."""

import math

import numpy as np

from envs.errors import SettingError
from streams.recording.reader import Recording
from streams.replay.orders import Episodes, Order, OrderSettings, Sequential, Shuffled, stretches
from streams.seeding import seed_of

BLOCK_FRAMES = 4096  # read at once where frames come from anywhere, so that those of one chunk meet
BLOCK_BYTES = 1 << 28  # of images that are read at once, at most: several such blocks are in memory


class Player:
    """One recording in one order, from beginning to end and over again."""

    def __init__(self, recording: Recording, order: OrderSettings, *, rows: int, seed: int, shown: range | None = None):
        """`shown` are those of the rows that are read here; all, where not given."""
        self.recording = recording
        self._settings, self._rows, self._seed = order, rows, seed
        self.shown = range(rows) if shown is None else shown
        all_rows = len(self.shown) == rows
        self._as_recorded = order.order == "sequential" and rows == recording.worlds and all_rows
        self.show(recording.committed, recording.facts["episodes"])

    def show(self, steps: int, episodes: int) -> None:
        """Shows the first `steps`, with episode numbers below `episodes`, whatever else was recorded.

        Raises SettingError: there are fewer.
        """
        if steps > self.recording.committed:
            raise SettingError(
                f"stream.path={self.recording.path} has {self.recording.committed} steps, and the run has begun with "
                f"{steps} of them; put back the recording it began with"
            )
        self.steps, self.episodes = steps, episodes
        if self._settings.order == "episodes":
            self._stretches = stretches(self.recording.span(0, steps, "episode"))
        self._order = 0, self._ordered(0)

    def refresh(self) -> None:
        """Shows all steps that are committed by now."""
        self.show(self.recording.refresh(), self.recording.facts["episodes"])

    @property
    def clip(self) -> int:
        """The number of steps of one world that stay together."""
        return self._settings.clip if self._settings.order in ("window", "shuffled") else 1

    @property
    def most_rows(self) -> int:
        """The number of rows beyond which there is no step."""
        steps, worlds = self.recording.committed, self.recording.worlds
        if self._settings.order == "window":
            steps = min(steps, max(self._settings.window // worlds, self.clip))
        return steps // self.clip * worlds

    def rows_for(self, length: int) -> int:
        """The number of rows beyond which a time round is shorter than so many steps; 0 where it always is."""
        if self._settings.order == "sequential":
            return self.steps // length * self.recording.worlds
        return self.steps * self.recording.worlds // length

    @property
    def length(self) -> int:
        """The number of steps of one time round."""
        return self._order[1].length

    @property
    def block(self) -> int:
        """The number of steps to read at once; fewer where they would be too many bytes."""
        steps, _, *frame = self.recording.layouts["images"].shard
        if self._settings.order == "window" and isinstance(order := self._order[1], Shuffled):
            steps = order.shown
        elif self._settings.order != "sequential":
            steps = BLOCK_FRAMES // self._rows
        return max(1, min(steps, BLOCK_BYTES // (self._rows * math.prod(frame))))

    def read(self, steps: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """Returns the arrays (s, rows, ...) at steps (s,), which count on over all times round."""
        rounds, inside = np.divmod(steps, self.length)
        if self._as_recorded and rounds[0] == rounds[-1]:
            arrays = {name: self.recording.span(inside[0], inside[-1] + 1, name) for name in names}
        else:
            step, world, rounds = self._where(steps)
            arrays = self.recording.gather(step.ravel(), world.ravel(), names=names)
            arrays = {name: rows.reshape(*step.shape, *rows.shape[1:]) for name, rows in arrays.items()}
        arrays["episode"] += (rounds * self.episodes)[:, None]
        return arrays

    def before(self, steps: np.ndarray, gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns images (s, rows, H, W, 3) and episodes (s, rows), gap (s, rows) steps before those shown at steps."""
        step, world, rounds = self._where(steps)
        earlier = step - gap
        arrays = self.recording.gather(np.maximum(earlier, 0).ravel(), world.ravel(), names=["images", "episode"])
        images, episode = (arrays[name].reshape(*step.shape, *arrays[name].shape[1:]) for name in ("images", "episode"))
        return images, np.where(earlier < 0, -1, episode + (rounds * self.episodes)[:, None])

    def _where(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Step and world (s, rows) in the recording, and the time round (s,), of what is shown at steps (s,)."""
        rounds, inside = np.divmod(steps, self.length)
        where = []
        for turn in np.unique(rounds).tolist():
            order = self._order  # once: two threads ask
            if order[0] != turn:
                self._order = order = turn, self._ordered(turn)
            where.append(order[1].where(inside[rounds == turn]))
        step, world = (np.concatenate(part) for part in zip(*where, strict=True))
        part = slice(self.shown.start, self.shown.stop)
        return step[:, part], world[:, part], rounds

    def _ordered(self, turn: int) -> Order:
        settings, worlds = self._settings, self.recording.worlds
        seed = seed_of(self._seed, "round", turn)
        if settings.order == "sequential":
            return Sequential(steps=self.steps, worlds=worlds, rows=self._rows)
        if settings.order == "episodes":
            return Episodes(self._stretches, rows=self._rows, seed=seed)
        window = settings.window if settings.order == "window" else self.steps * worlds
        return Shuffled(steps=self.steps, worlds=worlds, rows=self._rows, window=window, clip=settings.clip, seed=seed)
