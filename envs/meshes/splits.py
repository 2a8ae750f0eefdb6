"""Which objects are for training, validation and testing: a share of each category, or as a list says."""

import hashlib
from pathlib import Path

import numpy as np

from envs.command.text import printable
from envs.errors import SettingError, unknown
from envs.meshes.library import Library
from envs.scene.settings import SPLITS


def members(library: Library, *, split: str, held_out: float, split_list: str) -> list[np.ndarray]:
    """The numbers of the meshes of a split, category by category, in an order that does not depend on other files'.

    Args:
        library: all meshes.
        split: train, validation, test or all.
        held_out: share of each category's objects that validation gets, and test the same again.
        split_list: a file of lines `category/name.glb,train` instead; empty for none.

    Raises SettingError: a category has no object in the split, or the list can't be used.
    """
    order = sorted(range(len(library.files)), key=lambda number: _place(library.files[number]))
    groups = [[number for number in order if library.category[number] == k] for k in range(len(library.categories))]
    if split != "all":
        chosen = _listed(library, split_list) if split_list else _shared(groups, held_out)
        groups = [[number for number in group if chosen.get(number) == split] for group in groups]
    for name, group in zip(library.categories, groups, strict=True):
        if not group:
            more = "name some in it" if split_list else "add some (three at least)"
            raise SettingError(
                f"env.split={split} has no object of category {printable(name)}; {more}, or set env.split=all"
            )
    return [np.array(group) for group in groups]


def _shared(groups: list[list[int]], held_out: float) -> dict[int, str]:
    """The split of each mesh: of n objects, max(1, round(n held_out)) are for validation and as many for testing."""
    chosen = {}
    for group in groups:
        count = max(1, round(len(group) * held_out))
        for place, number in enumerate(group):
            chosen[number] = "validation" if place < count else "test" if place < 2 * count else "train"
    return chosen


def _listed(library: Library, split_list: str) -> dict[int, str]:
    """The split of each mesh that a list names."""
    numbers = {file: number for number, file in enumerate(library.files)}
    chosen: dict[int, str] = {}
    try:
        lines = Path(split_list).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"env.split_list={split_list} can't be read ({error}); give a text file") from None
    for at, line in enumerate(lines, 1):
        file, _, split = (part.strip() for part in line.rpartition(","))
        if not line.strip() or (at == 1 and split == "split"):
            continue
        if split not in SPLITS:
            raise unknown(f"env.split_list={split_list} line {at}: split", split, SPLITS)
        if file not in numbers:
            raise unknown(f"env.split_list={split_list} line {at}: file", file, numbers)
        if chosen.setdefault(numbers[file], split) != split:
            raise SettingError(f"env.split_list={split_list} line {at}: {file} is in two splits; leave it in one")
    return chosen


def _place(file: str) -> str:
    """By which files are ordered as if drawn, whatever others there are."""
    return hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()
