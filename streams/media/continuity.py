"""Whether the pictures of folders follow one another as frames do, or are a class of single ones."""

from collections.abc import Sequence

import numpy as np

from envs.errors import SettingError
from envs.images.decoding import picture, squared

FOLDERS, NEIGHBOURS = 6, 12  # folders that are looked into, and pairs of neighbours in each
FEWEST = 8  # pictures of a folder that say something
EDGE = 16  # pixels to which pictures are brought to be compared
APART = 0.85  # by this share of what separates any two, neighbours of frames are apart at most


def follow(folders: Sequence[Sequence[str]]) -> bool:
    """Whether the pictures (files, in order) of any folders are nearer to their neighbours than to others.

    A few of a few folders are looked at. Where these are too few to tell, it is taken for granted.
    """
    long = [files for files in folders if len(files) >= FEWEST]
    if len(long) < 2:
        return True
    beside, others = [], []
    for files in _some(long, FOLDERS):
        draws = np.random.default_rng(0)
        for at in _some(range(len(files) - 1), NEIGHBOURS):
            other = draws.choice([each for each in range(len(files)) if not at - 1 <= each <= at + 1])
            one, next_one, any_one = (_small(files[each]) for each in (at, at + 1, other))
            if one is not None and next_one is not None and any_one is not None:
                beside.append(np.abs(one - next_one).mean())
                others.append(np.abs(one - any_one).mean())
    return not others or sum(beside) <= APART * sum(others)


def _some(of: Sequence, count: int) -> list:
    """At most so many, evenly spread."""
    return [of[at] for at in np.unique(np.linspace(0, len(of) - 1, count).astype(int))]


def _small(file: str) -> np.ndarray | None:
    """A small copy (EDGE, EDGE, 3) float; None of a torn file, which importing names."""
    try:
        return squared(picture(file), EDGE, fit="crop").astype(np.float32)
    except SettingError:
        return None
