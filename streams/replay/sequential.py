"""Recordings as a source of Frames: in any order, never past the commit mark, read ahead in the background."""

import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from time import perf_counter, sleep
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.errors import SettingError
from streams.process.ranks import Ranks
from streams.replay.mixing import opened, shared, shares
from streams.replay.orders import OrderSettings
from streams.replay.player import Player
from streams.seeding import seed_of
from streams.types import Frames

AHEAD, THREADS = 3, 2  # blocks that are read while one is shown, and by how many threads
POLL_S = 0.05  # between two looks whether the writer has come further


@dataclass
class ReplaySettings(OrderSettings):
    """stream=replay; the env settings are the recording's"""

    name: str = "replay"  # of the source: stream=NAME
    path: Any = None  # a recording, or a list of them, shown side by side
    weights: list[float] = field(default_factory=list)  # how much of each batch each recording makes up
    repeat: bool = False  # whether it begins anew at its end
    start: int = 0  # step of the recording to begin at


class Replay(Iterator[Frames]):
    """Frames of one recording, or of several side by side, on `device`.

    In sequential order these are the very Frames that were recorded, and a recording that is still being written is
    followed. Any other order, and `repeat`, shows the frames that were there when it was opened. Each time round has
    episode numbers of its own, as has each of several recordings.

    Args:
        frames: how many are needed; with fewer there is an error and not an end.

    Of several ranks, each reads its own rows of those that one process would show.

    Raises SettingError: no recording, or too short, or settings that make no order.
    """

    def __init__(
        self,
        settings: ReplaySettings,
        *,
        seed: int = 0,
        frames: int = 0,
        device: torch.device | str = "cpu",
        ranks: Ranks | None = None,
    ):
        recordings = opened(settings.path)
        rows = shares(recordings, settings, weights=settings.weights)
        shown = parts_of(rows, (ranks or Ranks()).share(sum(rows), "stream.worlds"))
        self.players = [
            Player(recording, settings, rows=count, seed=seed_of(seed, "replay", number), shown=part)
            for number, (recording, count, part) in enumerate(zip(recordings, rows, shown, strict=True))
        ]
        self.step, self.seconds = -1, 0.0
        self._shares, self._rows = [len(part) for part in shown], sum(rows)  # read here of each recording; of all
        self._repeat, self._start, self._needed, self._device = settings.repeat, settings.start, frames, device
        self._follows = settings.order == "sequential" and not self._repeat and rows == [recordings[0].worlds]
        self._names = shared(recordings)
        for recording in recordings:
            if not recording.sealed:
                say_unsealed(recording.path)
        self._pool = ThreadPoolExecutor(THREADS, "replay")
        self._ahead: deque[tuple[int, Future]] = deque()  # first step of each block that is being read
        self._ordered = 0  # steps that were shown or are being read
        self._block: dict[str, tuple[Tensor, ...]] = {}  # of each array, its steps (N, ...)
        self._first = self._past = 0  # steps of the block
        if self._start < 0 or (self._start and self._available() < 1):
            where = f"{recordings[0].path}, which has {self.length} steps"
            raise SettingError(f"stream.start={self._start} is outside {where}")
        if self._available() < 1 or (self._available() * self._rows < frames and not self._growing):
            raise self._too_short()

    @property
    def rows(self) -> int:
        """The number of frames a step."""
        return self._rows

    @property
    def length(self) -> int:
        """The number of steps of one time round."""
        return min(player.length for player in self.players)

    def rows_for(self, length: int) -> int:
        """The number of rows beyond which a time round is shorter than so many steps; 0 where it always is."""
        return min(player.rows_for(length) for player in self.players) * len(self.players)

    def __next__(self) -> Frames:
        start = perf_counter()
        while self.step + 1 >= self._past:
            self._turn()
        self.step += 1
        shown = {name: steps[self.step - self._first] for name, steps in self._block.items()}
        images, episode = shown["images"], shown["episode"]
        factors = {name.removeprefix("factors/"): value for name, value in shown.items() if name.startswith("factors/")}
        self.seconds += perf_counter() - start
        return Frames(images, episode, self.step, factors)

    def state_dict(self) -> dict[str, Any]:
        """Returns the step, which recordings are shown, and how much of each."""
        recordings = [player.recording.identity for player in self.players]
        shown = [[player.steps, player.episodes] for player in self.players]
        return {"step": self.step, "shown": shown, "recordings": recordings}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the frames that followed the saved ones. Raises SettingError: of other recordings."""
        for player, known in zip(self.players, state.get("recordings", []), strict=False):
            if player.recording.identity != known:
                raise SettingError(
                    f"stream.path={player.recording.path} is another recording than the run began with (it is "
                    f"{player.recording.identity}, and was {known}); put that one back"
                )
        self.step, self._past, self._ordered = state["step"], 0, state["step"] + 1
        self._ahead.clear()
        for player, (steps, episodes) in zip(self.players, state["shown"], strict=True):
            player.show(steps, episodes)

    def close(self) -> None:
        """Stops reading ahead."""
        self._pool.shutdown(cancel_futures=True)

    def _turn(self) -> None:
        """Goes on to the next block, or waits for the writer, or ends."""
        growing = self._growing  # asked first, so that the last frames of a writer that ends now are not missed
        self._read_ahead()
        if self._ahead:
            self._first, job = self._ahead.popleft()
            self._read_ahead()  # before it waits for this one, so that all threads are busy
            self._block = {name: rows.unbind() for name, rows in job.result().items()}
            self._past = self._first + len(self._block["episode"])
        elif growing:
            sleep(POLL_S)
        elif self._needed:
            raise self._too_short()
        else:
            raise StopIteration

    def _read_ahead(self) -> None:
        while len(self._ahead) < AHEAD:
            block = self.players[0].block
            past = min((self._ordered + self._start) // block * block + block - self._start, self._available())
            if past <= self._ordered:
                return
            self._ahead.append((self._ordered, self._pool.submit(self._read, self._ordered, past)))
            self._ordered = past

    def _read(self, first: int, past: int) -> dict[str, Tensor]:
        """Steps first to past as tensors (steps, N, ...); episodes stay on the CPU."""
        steps = np.arange(first, past) + self._start
        parts = [player.read(steps, self._names) for player in self.players]
        whole = {name: _beside([part[name] for part in parts]) for name in self._names if name != "episode"}
        whole["episode"] = self._numbered([part["episode"] for part in parts])
        return {
            name: torch.from_numpy(array).to("cpu" if name == "episode" else self._device)
            for name, array in whole.items()
        }

    def _numbered(self, episodes: list[np.ndarray]) -> np.ndarray:
        """Episode numbers that are unique over several recordings, as one array; -1 stays."""
        count = len(episodes)
        each = [np.where(own < 0, own, own * count + number) for number, own in enumerate(episodes)]
        return np.concatenate(each, -1)

    def _available(self) -> int:
        """The number of steps that can be read by now."""
        if self._repeat:
            return sys.maxsize if self.length else 0
        if self._follows and self._ordered + self._start >= self.length:
            self.players[0].refresh()
        return self.length - self._start

    @property
    def _growing(self) -> bool:
        return self._follows and self.players[0].recording.folder.being_written

    def _too_short(self) -> SettingError:
        paths = " and ".join(player.recording.path for player in self.players)
        if not self.length:
            shorter = ", or a smaller stream.clip" if self.players[0].clip > 1 else ""
            frames = [player.recording.committed * player.recording.worlds for player in self.players]
            fit = min(player.most_rows for player in self.players) * len(frames)
            return SettingError(
                f"stream.path={paths} has {sum(frames):,} frames, too few for stream.worlds={self._rows} rows in this "
                f"order; try stream.worlds={max(fit, 1)} or fewer{shorter}"
            )
        given, way = max(self.length - self._start, 0) * self._rows, "record more"
        shown = f"stream.path={paths} gives {given:,} frames in this order"
        shown += f" from stream.start={self._start} on" if self._start else ""
        if self._needed > given:
            shown += f", and run.frames={self._needed:,} are asked for"
            way = f"record more, set run.frames={given}" if given else way
        elif self._needed:
            shown += f", and the last of run.frames={self._needed:,} make no whole batch of pairs"
            way = "set a smaller run.frames or pairs.gap"
        return SettingError(f"{shown}; {way}, or set stream.repeat=true to go round again")


@cache
def say_unsealed(path: str) -> None:
    """Says of a recording of format 1, once, what it cannot vouch for."""
    print(f"{path} is of format 1: that its files lie where they belong is not checked", file=sys.stderr)  # noqa: T201


def parts_of(rows: list[int], shown: range) -> list[range]:
    """Of recordings with so many rows each, one after the other, the rows of each that are `shown`."""
    firsts = [sum(rows[:number]) for number in range(len(rows))]
    clipped = [
        (max(shown.start - first, 0), min(shown.stop - first, count)) for first, count in zip(firsts, rows, strict=True)
    ]
    return [range(start, max(stop, start)) for start, stop in clipped]


def _beside(parts: list[np.ndarray]) -> np.ndarray:
    """Arrays (s, rows, ...) side by side; one alone is not copied."""
    return np.concatenate(parts, 1) if len(parts) > 1 else parts[0]
