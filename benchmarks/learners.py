"""What an update of each rule costs beside backpropagation's, at equal batch, in conv4.

    python benchmarks/learners.py

Ratios are the median of the rounds'. Backpropagation is beside a bare torch step of the same network and loss. All
rules keep what memory they free, as our commands do; the hinge is beside its (B, B, D) form with and without, since
that form mostly waits for memory.
"""

import statistics
from collections.abc import Callable
from itertools import pairwise

import torch
from machine import Jobs, in_turns, show
from torch import nn

from learners.losses.hinge import Hinge, HingeSettings
from learners.online import PROGRAM
from learners.run import learner_of
from streams.process.errors import keep_memory
from streams.types import Pairs

ROUNDS, UPDATES, BATCH, SIZE = 9, 4, 128, 32  # UPDATES: of each rule in a round
PROMISED = {"dgl": 1.2, "rll": 0.6, "dtp": 1.25, "bp, remembered": 0.6}  # at most so many times backpropagation's time
BARE = 1.1  # at most so many times a bare step's time backpropagation may take
HINGE_ROWS, EMBEDDING = 500, 64


def pairs(count: int, rows: int) -> list[Pairs]:
    """Batches of noise, channels_last as a stream gives them."""
    draws = torch.Generator().manual_seed(0)
    views = torch.rand(count, 2, rows, SIZE, SIZE, 3, generator=draws).permute(0, 1, 2, 5, 3, 4)
    episode = torch.arange(rows)
    return [Pairs(first, second, torch.ones(rows, dtype=torch.int64), episode, rows) for first, second in views]


def bare_step() -> Callable[[Pairs], None]:
    """A training step of plain torch with the default loss, which reports nothing."""
    layers = []
    for below, above in pairwise((3, 32, 64, 128, 256)):  # conv4 as anyone would write it
        layers += [nn.Conv2d(below, above, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.Tanh()]
    layers += [nn.Flatten(), nn.Linear(256 * (SIZE // 16) ** 2, EMBEDDING, bias=False), nn.Tanh()]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def step(batch: Pairs) -> None:
        optimiser.zero_grad()
        rows = torch.cat([network((images - 0.5) * 4) for images in (batch.first, batch.second)])
        distance = torch.cdist(rows, rows, p=1)
        others = (batch.episode[:, None] != batch.episode).repeat(2, 2)
        push = (3 - distance).clamp_min(0) * others
        push = push / (push.detach() > 0).sum(1, keepdim=True).clamp_min(1)
        pull = (distance.diagonal(len(batch.first)).repeat(2) - 1).clamp_min(0)
        (pull + push.sum(1)).mean().backward()
        optimiser.step()

    return step


def hinges() -> Jobs:
    """Our hinge and the wide one, forth and back, on the same embeddings."""
    draws = torch.Generator().manual_seed(0)
    u, v = (torch.rand(HINGE_ROWS, EMBEDDING, generator=draws).requires_grad_() for _ in range(2))
    episode, ours = torch.arange(HINGE_ROWS), Hinge(HingeSettings(anchors="first", average="sum"))
    others = episode[:, None] != episode

    def wide() -> None:
        distance = (u[:, None] - v).abs().sum(2)  # all differences (B, B, D) in memory
        pull, push = (distance.diagonal() - 1).clamp_min(0), (3 - distance).clamp_min(0) * others
        (pull + push.sum(1)).mean().backward()

    return {"ours": lambda: ours(u, v, episode=episode)[0].backward(), "wide": wide}


def ratios_to(beside: str, jobs: Jobs) -> dict[str, float]:
    """How many times as long each job takes as one of them, in turns; the median of the rounds."""
    took = in_turns(jobs, rounds=ROUNDS)
    return {
        name: statistics.median(own / other for own, other in zip(times, took[beside], strict=True))
        for name, times in took.items()
    }


def main() -> None:
    """Prints a table and keeps benchmarks/results/learners.json."""
    hinge = ratios_to("wide", hinges())["ours"]
    keep_memory()
    hinge_kept = ratios_to("wide", hinges())["ours"]
    rules = ["bp", "rf", "urf", "sign", "dgl", "rll", "dtp", "dtp_ldrl"]
    batches = pairs(UPDATES, BATCH)
    common = ["device=cpu", "network=conv4", f"env.size={SIZE}", f"env.num_worlds={BATCH}"]
    steps = {rule: learner_of(PROGRAM.read([*common, f"learner={rule}"])).update for rule in rules}
    steps["bare"] = bare_step()
    jobs = {name: lambda step=step: [step(batch) for batch in batches] for name, step in steps.items()}
    rounding = learner_of(PROGRAM.read([*common, "learner=bp", "network.precision=bfloat16"]))
    jobs["bp, bfloat16"] = lambda: [rounding.update(batch) for batch in batches]
    remembering = learner_of(PROGRAM.read([*common, "learner=bp", "loss=hinge_remembered", "pairs.gap=1"]))
    later = [batch._replace(first=None) for batch in batches]
    jobs["bp, remembered"] = lambda: [remembering.update(batch) for batch in later]
    ratios = ratios_to("bp", jobs)
    over_bare = 1 / ratios["bare"]
    promised = {name: f"{most:.2f}" for name, most in PROMISED.items()}
    rows = [(name, f"{ratio:.2f}", promised.get(name, "")) for name, ratio in ratios.items()]
    notes = (
        f"hinge of {HINGE_ROWS} rows: {hinge:.3f} times the (B, B, D) form (promised 0.1) in plain torch",
        f"hinge of {HINGE_ROWS} rows: {hinge_kept:.3f} times the (B, B, D) form where freed memory is kept",
        f"BP takes {over_bare:.2f} times a bare step (promised {BARE})",
    )
    everything = {
        "times_bp": ratios,
        "bp_over_bare": over_bare,
        "hinge_over_wide": hinge,
        "hinge_over_wide_memory_kept": hinge_kept,
    }
    head = ("rule", "times BP", "promised")
    show("learners", everything, *notes, title=f"An update of {BATCH} pairs, on CPU", head=head, rows=rows)


if __name__ == "__main__":
    main()
