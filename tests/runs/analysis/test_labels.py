import numpy as np
import pytest

from runs.analysis.figures import spread_labels


@pytest.mark.parametrize(
    ("places", "spread"),
    [
        ([1, 5, 9], [1, 5, 9]),  # far enough from one another
        ([5, 5, 1], [4.5, 5.5, 1]),  # around where they would be
        ([9.9, 9.8, 2], [10, 9, 2]),  # no higher than there is room
        ([0, 0, 0.5], [0, 1, 2]),
        ([4], [4]),
        ([], []),
    ],
)
def test_names_lie_as_near_their_lines_as_they_can(places, spread):
    assert np.allclose(spread_labels(places, gap=1, low=0, high=10), spread)
