"""Whether the pictures of folders follow one another as frames do, or are a class of single ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from envs.errors import SettingError
from envs.images.decoding import picture, squared

FOLDERS, NEIGHBOURS = 6, 12  # folders that are looked into, and pairs of neighbours in each
FEWEST = 8  # pictures of a folder that say something
EDGE = 16  # pixels to which pictures are brought to be compared
APART = 0.85  # by this share of what separates any two, neighbours of frames are apart at most


class Look(NamedTuple):
    """What a look into some folders came to, each a sequence of files."""

    folders: list[Sequence[str]]  # that were looked into
    shuffled: list[Sequence[str]]  # of these, those whose neighbours are no nearer than others


def look_into(folders: Sequence[Sequence[str]]) -> Look:
    """Looks at a few pictures (files, in order) of a few folders: whether neighbours are nearer than others.

    None is shuffled where they are nearer over all folders, or where these are too few to tell.
    """
    long = [files for files in folders if len(files) >= FEWEST]
    looked = _some(long, FOLDERS) if len(long) > 1 else []
    apart = [_apart(files) for files in looked]
    beside, others = (sum(sums) for sums in zip(*apart, strict=True)) if apart else (0.0, 0.0)
    if beside <= APART * others:
        return Look(looked, [])
    return Look(looked, [files for files, (own, any_two) in zip(looked, apart, strict=True) if own > APART * any_two])


def _apart(files: Sequence[str]) -> tuple[float, float]:
    """What separates neighbours in a folder, and any two, summed over a few."""
    draws, beside, others = np.random.default_rng(0), 0.0, 0.0
    for at in _some(range(len(files) - 1), NEIGHBOURS):
        other = draws.choice([each for each in range(len(files)) if not at - 1 <= each <= at + 1])
        one, next_one, any_one = (_small(files[each]) for each in (at, at + 1, other))
        if one is not None and next_one is not None and any_one is not None:
            beside += float(np.abs(one - next_one).mean())
            others += float(np.abs(one - any_one).mean())
    return beside, others


def _some(of: Sequence, count: int) -> list:
    """At most so many, evenly spread."""
    return [of[at] for at in np.unique(np.linspace(0, len(of) - 1, count).astype(int))]


def _small(file: str) -> np.ndarray | None:
    """A small copy (EDGE, EDGE, 3) float; None of a torn file, which importing names."""
    try:
        return squared(picture(file), EDGE, fit="crop").astype(np.float32)
    except SettingError:
        return None
