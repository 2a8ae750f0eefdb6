"""Updates of every rule and loss, alone or as a rank: python -m tests.helpers.shared_updates FOLDER TYPE N SHARES...

Writes the weights to FOLDER/RANK.pt. There are N updates. TYPE is float32 or float64, with which local negatives are
tried too. SHARES, as in `5,7`, are the rows of each rank, at each update the next of them.
"""

import sys
from collections.abc import Callable

import torch

from learners.distributed import tensors_of
from learners.rules.base import Learner
from streams.process.ranks import Ranks, joined
from streams.types import Pairs
from tests.helpers.learners import RULES, batches, learner
from tests.helpers.small_network import SPEC

UPDATES, ROWS = 10, 12
PARTS = ("network", "losses", "inverses", "lateral", "slow_copy")  # that have weights or buffers
MARGINS = {"positive_margin": 0.0, "negative_margin": 30.0}  # in which all rows are
LOSSES = {
    "hinge": {"stop_gradient": False, "anchors": "both", "average": "violators", **MARGINS},
    "hinge_first": MARGINS,
    "hinge_some": {"negatives": 3, **MARGINS},
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
    "remembered": {"remember": True, "negatives": 3, "longest_gap": 2, **MARGINS},
}
LOCAL = ("dgl", "dtp", "bp_lpl_stale", "bp_ntxent")  # of the cases, those that are tried with local negatives too


def cases() -> dict[str, Callable[[], Learner]]:
    """Every rule, with several losses where they meet a rule in different ways, and every loss."""
    made = {rule: (rule, MARGINS) for rule in RULES}
    made |= {
        "gll_plateau": ("gll", {"turns": "plateau", "patience": 2, **MARGINS}),
        "dtp_some": ("dtp", {"kind": "ntxent"}),
    }
    made |= {f"{rule}_remembered": (rule, LOSSES["remembered"]) for rule in ("dgl", "rll", "dtp")}
    made |= {f"bp_{name}": ("bp", loss) for name, loss in LOSSES.items()}
    made |= {f"dgl_{name}": ("dgl", LOSSES[name]) for name in ("clapp_both", "byol", "lpl_stale")}
    return {name: lambda of=of: learner(of[0], updates=UPDATES, network=SPEC, **of[1]) for name, of in made.items()}


def part_of(pairs: Pairs, first: int, past: int) -> Pairs:
    """Some of the rows."""
    return Pairs(*(rows if rows is None else rows[first:past] for rows in pairs[:4]), pairs.frames)


def shown(name: str, step: int, pairs: Pairs, dtype: torch.dtype) -> Pairs:
    """The pairs of a case at a step; of a loss that remembers, single views in episodes of four steps."""
    first = None if pairs.first is None or "remembered" in name else pairs.first.to(dtype)
    pairs = pairs._replace(first=first, second=pairs.second.to(dtype))
    if first is not None:
        return pairs
    episode = torch.arange(ROWS) + ROWS * (step // 4)
    return pairs._replace(episode=episode, gap=torch.full_like(episode, 2))


def weights_after(
    ranks: Ranks, shares: list[list[int]], *, dtype: torch.dtype, updates: int, negatives: str = "gathered"
) -> dict[str, list[torch.Tensor]]:
    """The state of every case after its updates, as the tensors in it."""
    weights = {}
    for name, make in cases().items():
        if negatives == "local" and name not in LOCAL:
            continue
        one = make()
        for part in filter(None, (getattr(one, part, None) for part in PARTS)):
            part.to(dtype)
        one.join(ranks, negatives=negatives)
        for step, pairs in enumerate(batches(updates, rows=ROWS)):
            counts = shares[step % len(shares)]
            first = sum(counts[: ranks.rank])
            one.update(part_of(shown(name, step, pairs, dtype), first, first + counts[ranks.rank]))
        weights[name] = [tensor.clone() for tensor in tensors_of(one.state_dict())]
    return weights


def main() -> None:
    """As a rank."""
    folder, kind, updates, *shares = sys.argv[1:]
    how = {"dtype": getattr(torch, kind), "updates": int(updates)}
    counts = [list(map(int, text.split(","))) for text in shares]
    with joined() as ranks:
        weights = {"gathered": weights_after(ranks, counts, **how)}
        if kind == "float64":
            weights["local"] = weights_after(ranks, counts, **how, negatives="local")
        torch.save(weights, f"{folder}/{ranks.rank}.pt")
        sys.exit(0)


if __name__ == "__main__":
    main()
