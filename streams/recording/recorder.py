"""A source of Frames that records them on the way."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from envs.errors import SettingError
from streams.live import Live
from streams.process.ranks import Ranks
from streams.process.states import joined_worlds
from streams.recording.writer import Writer
from streams.types import Frames


class Recorded(Iterator[Frames]):
    """Another source's frames, which are recorded as they pass through.

    Its state is the source's, and taking it commits all frames so far, so that source and recording can go on from it.
    A resumed source has its recording cut back to where it goes on.

    Of several ranks, the first records the frames of all, as one process would that shows all worlds.
    """

    def __init__(
        self,
        source: Live,
        path: str,
        about: dict[str, Any],
        *,
        setting: str = "stream.record",
        ranks: Ranks | None = None,
    ):
        self.source, self._ranks = source, ranks or Ranks()
        self.writer = Writer(path, about, setting=setting) if self._ranks.first else None
        self._resumed = self._open = False

    def __next__(self) -> Frames:
        if not self._open:
            self.open()
        frames = next(self.source)
        whole = self._gathered(frames)
        if self.writer:
            self.writer.add(whole)
        if self._ranks.any(self.writer is not None and self.writer.full):
            self._commit(wait=False)
        return frames

    def _gathered(self, frames: Frames) -> Frames:
        """The frames of all ranks."""
        counts = [len(frames.episode)] * self._ranks.size
        images, episode = (self._ranks.gather_rows(rows, counts) for rows in (frames.images, frames.episode))
        factors = {name: self._ranks.gather_rows(rows, counts) for name, rows in frames.factors.items()}
        return Frames(images, episode, frames.step, factors)

    def _state(self) -> dict[str, Any]:
        """The state of all ranks' worlds."""
        states = self._ranks.gather(self.source.state_dict())
        return joined_worlds(states, self.source.world.num_envs)

    def _commit(self, *, wait: bool = True) -> None:
        state = as_plain(self._state())
        if self.writer:
            self.writer.commit(state, wait=wait)

    @property
    def seconds(self) -> float:
        """Seconds spent in the source."""
        return self.source.seconds

    @property
    def step(self) -> int:
        """The step of the frames last yielded."""
        return self.source.step

    def open(self) -> None:
        """Locks the recording and cuts it back to where the source is. Raises SettingError as `Writer.open`."""
        state, cut_to = as_plain(self._state()), self.source.step + 1 if self._resumed else None
        if self.writer:
            self.writer.open(fresh=not self._resumed, cut_to=cut_to, state=state)
        self._open = True

    def go_on(self) -> None:
        """Puts the source where the recording ended, if there is one. Raises SettingError where it can't go on."""
        assert self.writer
        facts = self.writer.open()
        if facts and facts["committed"]:
            if facts.get("state") is None:
                raise SettingError(f"{self.writer.path} does not say how its world would go on; choose another path")
            next(self.source)  # so that it has a state, as which the other must be
            try:
                state = as_tensors(facts["state"])
                if not alike(state, self.source.state_dict()) or state["step"] != facts["committed"] - 1:
                    raise ValueError("it is of another kind")
                self.source.load_state_dict(state)
            except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
                raise SettingError(
                    f"{self.writer.path} says what its world cannot go on from ({type(error).__name__}); it was altered"
                ) from error
        self._open = True

    def state_dict(self) -> dict[str, Any]:
        """Returns the source's state, once all its frames are committed."""
        if self._open:
            self._commit()
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the frames, and recording, that followed the saved ones."""
        self.source.load_state_dict(state)
        self._resumed = True

    def close(self) -> None:
        """Releases the recording."""
        if self.writer:
            self.writer.close()


STATE_TYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64, "bool": torch.bool}


def as_plain(state: Any) -> Any:
    """State as plain data for JSON, exact to the bit."""
    if isinstance(state, Tensor):
        return {"tensor": state.tolist(), "type": str(state.dtype).removeprefix("torch.")}
    return {name: as_plain(value) for name, value in state.items()} if isinstance(state, dict) else state


def as_tensors(state: Any) -> Any:
    """The inverse of `as_plain`."""
    if isinstance(state, dict) and state.keys() == {"tensor", "type"}:
        return torch.tensor(state["tensor"], dtype=STATE_TYPES[state["type"]])
    return {name: as_tensors(value) for name, value in state.items()} if isinstance(state, dict) else state


def alike(state: Any, known: Any) -> bool:
    """Whether two states differ in numbers only: tensors of the same types and shapes by the same names."""
    if type(state) is not type(known):
        return False
    if isinstance(known, dict):
        return state.keys() == known.keys() and all(alike(state[name], known[name]) for name in known)
    if isinstance(known, list):
        return len(state) == len(known) and all(alike(*both) for both in zip(state, known, strict=True))
    return not isinstance(known, Tensor) or (state.dtype, state.shape) == (known.dtype, known.shape)
