"""Recordings made of recordings: cut, joined, filtered by category or episode, or set side by side."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from envs.arguments import fitting, typed
from envs.errors import SettingError
from streams.recording.arrays import Episode, RecordedArrays
from streams.recording.imported import ImportedSettings
from streams.recording.writer import Writer, check_free

BLOCK = 256  # steps read at once


@typed
def select(
    sources: str | Path | RecordedArrays | Sequence[str | Path | RecordedArrays],
    path: str | Path,
    *,
    steps: tuple[int | None, int | None] | range | slice | None = None,
    categories: Iterable[int | str] | None = None,
    episodes: Iterable[int] | None = None,
    side_by_side: bool = False,
) -> RecordedArrays:
    """Writes a recording of parts of others; every frame is checked as it is read.

    Args:
        sources: a recording, or several, with frames of one size; paths, or what `streams.open` returns.
        path: where the new one goes.
        steps: the first step of each that is taken, and the one past the last; None for its own.
        categories: those whose episodes are taken, by number or name; all where absent.
        episodes: the numbers of those that are taken; all where absent.
        side_by_side: whether sources are shown at once, as more worlds; else one after another.

    Where episodes are chosen, or several recordings are joined, they follow one another in one world, as imports do.
    Episodes of several recordings get numbers of their own. Factors that not all sources have are left out.

    Raises:
        SettingError: nothing is left, sizes differ, or `path` is used.
    """
    given = [sources] if isinstance(sources, str | Path | RecordedArrays) else sources
    paths = [one.path if isinstance(one, RecordedArrays) else str(one) for one in given]
    check_free(str(path), setting="path")
    recordings = [RecordedArrays(one) for one in paths]
    _check_sizes(recordings)
    stretch = None if steps is None else _stretch(steps, recordings)
    names = [name for name in recordings[0].factors if all(name in one.factors for one in recordings)]
    kinds = None if categories is None else [recordings[0].category_number(one) for one in _chosen(categories)]
    chosen = {
        "categories": None if kinds is None else _numbers("categories", kinds),
        "episodes": None if episodes is None else _numbers("episodes", _chosen(episodes)),
    }
    if side_by_side or (len(recordings) == 1 and not any(chosen.values())):
        if any(chosen.values()):
            raise SettingError("side_by_side=true keeps whole steps; leave out categories and episodes")
        blocks = _whole(recordings, ["images", "episode", *names], stretch)
    else:
        blocks = _one_after_another(recordings, ["images", "episode", *names], stretch, **chosen)
    about = {"sources": paths, "steps": stretch and list(stretch), **chosen, "side_by_side": side_by_side}
    _write(blocks, str(path), about | {"categories": recordings[0].categories})
    return RecordedArrays(str(path))


def _check_sizes(recordings: list[RecordedArrays]) -> None:
    for one in recordings:
        if one.size != recordings[0].size:
            raise SettingError(f"{one.path} shows {one.size} pixels and {recordings[0].path} {recordings[0].size}")


def _stretch(steps: Any, recordings: list[RecordedArrays]) -> tuple[int, int]:
    """The first step, and the one past the last, that all recordings have."""
    ends = (steps.start, steps.stop) if isinstance(steps, range | slice) else tuple(steps)
    every = getattr(steps, "step", None) in (None, 1) and len(ends) == 2
    if not every or not all(end is None or isinstance(end, int) for end in ends):
        raise SettingError(f"steps={steps!r} is no stretch; give the first and the one past the last, as in (100, 200)")
    shortest = min(recordings, key=lambda one: one.steps)
    first, past = 0 if ends[0] is None else ends[0], shortest.steps if ends[1] is None else ends[1]
    if not 0 <= first < past <= shortest.steps:
        raise SettingError(f"steps={first}:{past} is outside {shortest.path}, which has {shortest.steps} steps")
    return first, past


def _chosen(values: Any) -> list[Any]:
    """Of any iterable, an array or tensor too, its members as Python has them."""
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _numbers(name: str, values: Sequence[Any]) -> list[int]:
    """Whole numbers, each once. Raises SettingError: none, or something else."""
    if not values:
        raise SettingError(f"{name}=[] chooses nothing; leave it out for all")
    return sorted({fitting(name, value, int) for value in values})


Block = dict[str, np.ndarray]  # (s, N, ...) of every array


def _whole(recordings: list[RecordedArrays], names: list[str], steps: tuple[int, int] | None) -> Iterator[Block]:
    """Whole steps; of several recordings, those of the shortest, as more worlds."""
    first, past = steps or (0, min(one.steps for one in recordings))
    count = len(recordings)
    for begin in range(first, past, BLOCK):
        rows = slice(begin, min(begin + BLOCK, past))
        block = {name: np.concatenate([one[name][rows] for one in recordings], 1) for name in names}
        own = [one["episode"][rows] * count + number for number, one in enumerate(recordings)]
        yield block | {"episode": np.concatenate(own, 1)}


def _one_after_another(
    recordings: list[RecordedArrays],
    names: list[str],
    steps: tuple[int, int] | None,
    *,
    categories: list[int] | None,
    episodes: list[int] | None,
) -> Iterator[Block]:
    """The chosen episodes in the order of their beginnings, each with a number of its own, in one world."""
    number = 0
    for one in recordings:
        for part in one.episodes():
            wanted = (categories is None or part.category in categories) and (
                episodes is None or part.number in episodes
            )
            first, past = (max(part.first, steps[0]), min(part.past, steps[1])) if steps else (part.first, part.past)
            if wanted and first < past:
                arrays = one.part(Episode(part.number, part.world, first, past, part.category))
                block = {name: arrays[name][:, None] for name in names}
                yield block | {"episode": np.full((past - first, 1), number)}
                number += 1


def _write(blocks: Iterator[Block], path: str, about: dict[str, Any]) -> None:
    first = next(blocks, None)
    if first is None:
        raise SettingError(f"path={path} would hold nothing; choose other steps, categories or episodes")
    _, worlds, size = first["images"].shape[:3]
    env = asdict(ImportedSettings(num_worlds=worlds, size=size))
    facts = {"env": env, "seed": 0, "gaze": "fixed", "source": {name: of for name, of in about.items() if of}}
    with closing(Writer(path, facts, setting="path")) as writer:
        writer.open(fresh=True)
        for block in chain([first], blocks):
            _add(writer, block, env)
        writer.commit()


def _add(writer: Writer, block: Block, env: dict[str, Any]) -> None:
    """Adds the steps of a block, in pieces that end where a shard does."""
    tensors = {_key(name): torch.from_numpy(np.ascontiguousarray(rows)) for name, rows in block.items()}
    _, counts = np.unique(block["episode"][:, 0], return_counts=True)
    env["episode_length"] = max(env["episode_length"], int(counts.max()))
    begin, count = 0, len(block["episode"])
    while begin < count:
        past = begin + min(writer.room or 1, count - begin)
        writer.extend({name: rows[begin:past] for name, rows in tensors.items()})
        begin = past
        if writer.full:
            writer.commit(wait=False)


def _key(name: str) -> str:
    return name if name in ("images", "episode") else f"factors/{name}"
