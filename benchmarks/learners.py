"""What an update of each rule costs beside backpropagation's, at equal batch.

    python benchmarks/learners.py

All is measured in turns in one process, and given as the median of the rounds' ratios; the machine may be shared.
Backpropagation is beside a bare torch training step of the same network and loss. All rules keep what memory they free,
as our commands do; the hinge is beside its (B, B, D) form with and without, since that form mostly waits for memory.
"""

import statistics
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter

import torch
from machine import keep
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from learners.losses import Hinge
from learners.online import PROGRAM
from learners.run import learner_of
from streams.process.errors import keep_memory
from streams.types import Pairs

ROUNDS, UPDATES, BATCH, SIZE = 9, 4, 128, 32  # UPDATES: of each rule in a round
PROMISED = {"dgl": 1.2, "rll": 0.6, "dtp": 1.5, "bp, remembered": 0.6}  # at most so many times backpropagation's time
BARE = 1.1  # at most so many times a bare step's time backpropagation may take
HINGE_ROWS, EMBEDDING = 500, 64


def pairs(count: int, rows: int) -> list[Pairs]:
    """Batches of noise, channels_last as a stream gives them."""
    draws = torch.Generator().manual_seed(0)
    views = torch.rand(count, 2, rows, SIZE, SIZE, 3, generator=draws).permute(0, 1, 2, 5, 3, 4)
    episode = torch.arange(rows)
    return [Pairs(first, second, torch.ones(rows, dtype=torch.int64), episode, rows) for first, second in views]


class Bare(nn.Module):
    """conv4 as anyone would write it."""

    def __init__(self):
        super().__init__()
        widths = (3, 32, 64, 128, 256)
        layers = []
        for below, above in pairwise(widths):
            layers += [nn.Conv2d(below, above, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.Tanh()]
        self.encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * (SIZE // 16) ** 2, EMBEDDING, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to embeddings."""
        return self.encoder((images - 0.5) * 4).tanh()


def bare_step() -> Callable[[Pairs], None]:
    """A training step of plain torch with the default loss, which reports nothing."""
    network = Bare().to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def step(batch: Pairs) -> None:
        optimiser.zero_grad()
        rows = torch.cat([network(batch.first), network(batch.second)])
        distance = torch.cdist(rows, rows, p=1)
        others = (batch.episode[:, None] != batch.episode).repeat(2, 2)
        push = (3 - distance).clamp_min(0) * others
        push = push / (push.detach() > 0).sum(1, keepdim=True).clamp_min(1)
        pull = (distance.diagonal(len(batch.first)).repeat(2) - 1).clamp_min(0)
        (pull + push.sum(1)).mean().backward()
        optimiser.step()

    return step


def wide_hinge(u: Tensor, v: Tensor, others: Tensor) -> Tensor:
    """The hinge with all differences (B, B, D) in memory."""
    distance = (u[:, None] - v).abs().sum(2)
    pull, push = (distance.diagonal() - 1).clamp_min(0), (3 - distance).clamp_min(0) * others
    return (pull + push.sum(1)).mean()


def hinges() -> dict[str, Callable[[], None]]:
    """Our hinge and the wide one, forth and back, on the same embeddings."""
    draws = torch.Generator().manual_seed(0)
    u, v = (torch.rand(HINGE_ROWS, EMBEDDING, generator=draws).requires_grad_() for _ in range(2))
    episode, ours = torch.arange(HINGE_ROWS), Hinge(anchors="first", stop_gradient=False, average="sum")
    others = episode[:, None] != episode
    return {
        "ours": lambda: ours(u, v, episode=episode)[0].backward(),
        "wide": lambda: wide_hinge(u, v, others).backward(),
    }


def medians(jobs: dict[str, Callable[[], None]], *, beside: str, rounds: int) -> dict[str, float]:
    """How many times as long each job takes as one of them, in turns; the median of the rounds after a first one."""
    ratios = {name: [] for name in jobs}
    for turn in range(rounds + 1):
        took = {}
        for name, job in jobs.items():
            start = perf_counter()
            job()
            took[name] = perf_counter() - start
        for name in jobs if turn else ():
            ratios[name].append(took[name] / took[beside])
    return {name: statistics.median(values) for name, values in ratios.items()}


def updates(step: Callable[[Pairs], object], batches: list[Pairs]) -> Callable[[], None]:
    """A job of a step for each batch."""
    return lambda: [step(batch) for batch in batches] and None


def main() -> None:
    """Prints a table and keeps benchmarks/results/learners.json."""
    hinge = medians(hinges(), beside="wide", rounds=ROUNDS)["ours"]
    keep_memory()
    hinge_kept = medians(hinges(), beside="wide", rounds=ROUNDS)["ours"]
    rules = ["bp", "rf", "urf", "sign", "dgl", "rll", "dtp", "dtp_ldrl"]
    batches = pairs(UPDATES, BATCH)
    common = ["device=cpu", f"env.size={SIZE}", f"env.num_worlds={BATCH}"]
    steps = {rule: learner_of(PROGRAM.read([*common, f"learner={rule}"])).update for rule in rules} | {
        "bare": bare_step()
    }
    jobs = {name: updates(step, batches) for name, step in steps.items()}
    remembering = learner_of(PROGRAM.read([*common, "learner=bp", "loss=hinge_remembered", "pairs.gap=1"]))
    jobs["bp, remembered"] = updates(remembering.update, [batch._replace(first=None) for batch in batches])
    ratios = medians(jobs, beside="bp", rounds=ROUNDS)
    over_bare = 1 / ratios["bare"]
    table = Table("rule", "times BP", "promised", title=f"An update of {BATCH} pairs, on CPU", title_justify="left")
    for name, ratio in ratios.items():
        table.add_row(name, f"{ratio:.2f}", f"{PROMISED[name]:.2f}" if name in PROMISED else "")
    console = Console()
    console.print(table)
    console.print(f"hinge of {HINGE_ROWS} rows: {hinge:.3f} times the (B, B, D) form (promised 0.1) in plain torch")
    console.print(f"hinge of {HINGE_ROWS} rows: {hinge_kept:.3f} times the (B, B, D) form where freed memory is kept")
    console.print(f"BP takes {over_bare:.2f} times a bare step (promised {BARE})", highlight=False)
    everything = {
        "times_bp": ratios,
        "bp_over_bare": over_bare,
        "hinge_over_wide": hinge,
        "hinge_over_wide_memory_kept": hinge_kept,
        "threads": torch.get_num_threads(),
    }
    console.print(f"kept in {keep('learners', everything)}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
