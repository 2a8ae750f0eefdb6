"""Permutations that are computed, and stretches of episodes."""

import numpy as np
import pytest

from streams.replay.orders import shuffled, stretches


@pytest.mark.parametrize("count", [1, 2, 5, 64, 1000])
def test_a_permutation_is_one_and_nearly_uniform(count):
    moved = [shuffled(np.arange(count), count=count, seed=seed) for seed in range(300)]
    assert all(np.array_equal(np.sort(one), np.arange(count)) for one in moved)
    if count > 1:
        where = np.array([one[0] for one in moved])
        assert abs(where.mean() / (count - 1) - 0.5) < 4 * 0.5 / 300**0.5


def test_stretches_are_found_in_every_world():
    episode = np.array([[0, 1], [0, 3], [2, 3], [2, 3]])
    first, world, length = stretches(episode)
    assert list(zip(first.tolist(), world.tolist(), length.tolist(), strict=True)) == [
        (0, 0, 2),
        (2, 0, 2),
        (0, 1, 1),
        (1, 1, 3),
    ]
