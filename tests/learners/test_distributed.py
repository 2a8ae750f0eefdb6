"""Several ranks make the update of one process that has all rows."""

import pytest
import torch

from streams.process.ranks import Ranks
from tests.helpers.ranks import ended, start_ranks
from tests.helpers.shared_updates import LOCAL, ROWS, weights_after

WITHIN = {"float32": 1e-4, "float64": 1e-11}  # the largest relative difference of a weight after ten updates


def weights_of_ranks(folder, kind, *shares):
    """What each rank wrote; the shares of each update as in `5,7`."""
    size = shares[0].count(",") + 1
    for status, _, errors in ended(start_ranks("-m", "tests.helpers.shared_updates", folder, kind, *shares, size=size)):
        assert status == 0, errors
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


def difference(weights, expected):
    """The largest relative difference of a tensor."""
    pairs = zip(weights, expected, strict=True)
    return max(float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-12)) for a, b in pairs)


@pytest.mark.parametrize(
    ("kind", "shares"), [("float32", ["6,6"]), ("float64", ["5,7", "12,0", "1,11"]), ("float64", ["3,3,3,3", "4,0,5,3"])]
)
def test_ranks_come_to_the_weights_of_one_process_and_have_the_same_bits(tmp_path, kind, shares):
    alone = weights_after(Ranks(), [[ROWS]], dtype=getattr(torch, kind))
    ranks = weights_of_ranks(tmp_path, kind, *shares)
    for negatives, weights in ranks[0].items():
        for name in weights:
            for other in ranks[1:]:
                assert all(map(torch.equal, weights[name], other[negatives][name])), (negatives, name)
    worst = {name: difference(ranks[0]["gathered"][name], alone[name]) for name in alone}
    print("largest relative difference:", max(worst.values()), {k: f"{v:.1e}" for k, v in worst.items()})
    assert max(worst.values()) < WITHIN[kind], worst
    if kind == "float64":
        apart = {name: difference(ranks[0]["local"][name], alone[name]) for name in LOCAL}
        assert min(apart.values()) > 1e-6, apart
