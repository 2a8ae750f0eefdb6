"""States of worlds that ranks share, put together and shared out anew.

In a world's state, what has an entry for each world (a list, or the first axis of a tensor) is theirs, all else is the
same on every rank.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def joined_worlds(states: Sequence[Any], worlds: int) -> Any:
    """The state of all ranks' worlds, from those of each rank, which has so many worlds."""
    first = states[0]
    if isinstance(first, dict):
        return {name: joined_worlds([state[name] for state in states], worlds) for name in first}
    if isinstance(first, Tensor) and first.ndim and len(first) == worlds:
        return torch.cat([state.cpu() for state in states])
    if isinstance(first, list) and len(first) == worlds:
        return [value for state in states for value in state]
    return first


def part_of_worlds(state: Any, worlds: int, part: slice) -> Any:
    """The state of some of so many worlds."""
    if isinstance(state, dict):
        return {name: part_of_worlds(value, worlds, part) for name, value in state.items()}
    per_world = isinstance(state, list) or (isinstance(state, Tensor) and state.ndim > 0)
    return state[part] if per_world and len(state) == worlds else state
