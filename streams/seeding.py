"""Randomness as a function of (seed, name, step): resuming needs only a step, and names are independent."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from envs.scene.random import key


def seed_of(seed: int, name: str, step: int = 0) -> int:
    """A seed of 63 bits as a function of (seed, name, step)."""
    return int(key("stream", seed, name, step)[0] >> 1)


def seeds_of(seed: int, name: str, steps: range) -> list[int]:
    """`seed_of` for each of these steps, at once."""
    return (key("stream", seed, name, np.array(steps)) >> np.uint64(1)).tolist()


def generator(seed: int, name: str, step: int = 0, *, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose draws are a function of (seed, name, step)."""
    return torch.Generator(device).manual_seed(seed_of(seed, name, step))


class RowGenerator(torch.Generator):
    """A generator for rows that are a part of a batch of `total`: `rand_rows` draws for all, and takes the part's."""

    first, total = 0, 0

    @classmethod
    def of(cls, seed: int, name: str, step: int, *, first: int, total: int) -> "RowGenerator":
        """Of the rows from number `first` on; its draws are a function of (seed, name, step)."""
        draws = cls()
        draws.manual_seed(seed_of(seed, name, step))
        draws.first, draws.total = first, total
        return draws


def rand_rows(count: int, *shape: int, draws: torch.Generator, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Uniform numbers (count, *shape), a row for each of a batch, or of the part of it that a RowGenerator is for."""
    if not isinstance(draws, RowGenerator):
        return torch.rand(count, *shape, generator=draws, dtype=dtype)
    return torch.rand(draws.total, *shape, generator=draws, dtype=dtype)[draws.first : draws.first + count]


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Within it, torch's global CPU generator is a function of (seed, name); afterwards it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, name))
        yield
