"""Several recordings side by side: opening them, their shares of the rows, and the arrays that they share."""

from collections.abc import Iterable

import numpy as np

from envs.errors import SettingError
from streams.recording.reader import Recording
from streams.replay.orders import OrderSettings, check


def opened(path: str | list[str]) -> list[Recording]:
    """The recordings at one path or several.

    Raises SettingError: there is none, or it is empty, or they show frames of different sizes.
    """
    paths = [path] if isinstance(path, str) else list(path) if isinstance(path, Iterable) else [path]
    if not any(paths):
        raise SettingError("stream.path is not given; give a recording, made with python -m streams.record")
    for one in paths:
        if not one or not isinstance(one, str):
            raise SettingError(f"stream.path={path} is no path of a recording; write ./{one} for a folder")
    recordings = list(map(Recording, paths))
    for recording in recordings:
        if not recording.committed:
            raise SettingError(f"stream.path={recording.path} holds no frames yet; let the recording run on")
        if recording.size != recordings[0].size:
            sizes = [f"{other.path} is {other.size[1]}x{other.size[0]}" for other in (recordings[0], recording)]
            raise SettingError(f"stream.path mixes sizes: {' and '.join(sizes)}; record or import them at one size")
    return recordings


def shares(recordings: list[Recording], order: OrderSettings, *, weights: list[float] | None = None) -> list[int]:
    """How many rows of a batch each recording gives, in proportion to its weight (by largest remainders).

    Raises SettingError: unusable weights, or so few rows that a recording gets none.
    """
    check(order)
    weights = list(weights or [1.0] * len(recordings))
    if len(weights) != len(recordings) or not all(0 < weight < float("inf") for weight in weights):
        raise SettingError(f"stream.weights={weights} must be one positive number for each of {len(recordings)} paths")
    part = np.array(weights) / sum(weights)
    rows = order.worlds or int(min(one.worlds / share for one, share in zip(recordings, part, strict=True)) + 1e-9)
    counts = np.floor(part * rows + 1e-9).astype(int)
    counts[np.argsort(counts - part * rows, kind="stable")[: rows - counts.sum()]] += 1
    if not counts.all():
        raise SettingError(f"stream.worlds={rows} leaves a recording out; try {int(np.ceil(1 / part.min()))} or more")
    return counts.tolist()


def shared(recordings: list[Recording]) -> list[str]:
    """The names of the arrays that all recordings have, with the same type and shape of a row."""
    rows = [{name: (of.kind, of.shard[2:]) for name, of in one.layouts.items()} for one in recordings]
    return [name for name, kind in rows[0].items() if all(row.get(name) == kind for row in rows)]
