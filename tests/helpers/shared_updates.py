"""Ten updates of every rule and loss, alone or as a rank: python -m tests.helpers.shared_updates FOLDER [SHARES...]

Writes the weights to FOLDER/RANK.pt. SHARES, as in `5,7`, are the rows of each rank, at each update the next of them.
"""

import sys
from collections.abc import Iterator

import torch

from learners.distributed import tensors_of
from learners.rules.base import Learner
from streams.process.ranks import JoinedRanks, Ranks, join
from streams.types import Pairs
from tests.helpers.learners import RULES, batches, learner

UPDATES, ROWS = 10, 12
PARTS = ("network", "losses", "inverses", "lateral", "slow_copy")
LOSSES = {
    "hinge": {"stop_gradient": False, "anchors": "both", "average": "violators"},
    "hinge_first": {},
    "hinge_some": {"negatives": 3},
    "ntxent": {"kind": "ntxent"},
    "clapp": {"kind": "clapp"},
    "clapp_both": {"kind": "clapp", "context": "both", "stop_gradient": False, "symmetric": True},
    "barlow_twins": {"kind": "barlow_twins"},
    "vicreg": {"kind": "vicreg"},
    "lpl": {"kind": "lpl"},
    "lpl_stale": {"kind": "lpl", "statistics": "stale"},
    "sfa": {"kind": "sfa"},
    "scff": {"kind": "scff"},
    "byol": {"kind": "byol"},
    "remembered": {"remember": True, "negatives": 3},
}


def cases() -> Iterator[tuple[str, Learner]]:
    """Every rule with one loss, and two rules, one of many blocks and one of one head, with every loss."""
    for rule in RULES:
        yield rule, learner(rule, updates=UPDATES)
    yield "gll_plateau", learner("gll", turns="plateau", patience=2)
    yield "dtp_ntxent", learner("dtp", kind="ntxent")
    yield "dgl_remembered", learner("dgl", longest_gap=2, **LOSSES["remembered"])
    yield "dtp_remembered", learner("dtp", longest_gap=2, **LOSSES["remembered"])
    yield "rll_remembered", learner("rll", longest_gap=2, **LOSSES["remembered"])
    for name, loss in LOSSES.items():
        yield f"bp_{name}", learner("bp", longest_gap=2, **loss)
        if name != "remembered":
            yield f"dgl_{name}", learner("dgl", **loss)


def rows_of(pairs: Pairs, rows: range) -> Pairs:
    """Some of the pairs."""
    return Pairs(*(part if part is None else part[rows.start : rows.stop] for part in pairs[:4]), pairs.frames)


def remembered(pairs: Pairs, step: int) -> Pairs:
    """The same for a loss that remembers: episodes of four steps."""
    episode = torch.arange(len(pairs.episode)) + len(pairs.episode) * (step // 4)
    return pairs._replace(first=None, episode=episode, gap=torch.full_like(episode, 2))


def weights_after(
    ranks: Ranks, shares: list[list[int]], *, negatives: str = "gathered"
) -> dict[str, list[torch.Tensor]]:
    """The weights of every case after its updates."""
    weights = {}
    for name, one in cases():
        for part in filter(None, (getattr(one, part, None) for part in PARTS)):
            part.double()
        one.join(ranks, negatives=negatives)
        for step, pairs in enumerate(batches(UPDATES, rows=ROWS)):
            counts = shares[step % len(shares)]
            first = sum(counts[: ranks.rank])
            pairs = remembered(pairs, step) if "remembered" in name else pairs
            pairs = pairs._replace(
                first=None if pairs.first is None else pairs.first.double(), second=pairs.second.double()
            )
            one.update(rows_of(pairs, range(first, first + counts[ranks.rank])))
        weights[name] = [tensor.clone() for tensor in tensors_of(one.state_dict())]
    return weights


def main() -> None:
    """As a rank."""
    folder, *shares = sys.argv[1:]
    ranks = join()
    assert isinstance(ranks, JoinedRanks)
    weights = weights_after(ranks, [list(map(int, text.split(","))) for text in shares])
    torch.save(weights, f"{folder}/{ranks.rank}.pt")
    ranks.close()


if __name__ == "__main__":
    main()
