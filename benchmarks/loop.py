"""Where the time of the main loop goes, and what channels_last and pairing in the world's own memory are worth.

python benchmarks/loop.py
"""

import statistics

import torch
from machine import seconds, show

from learners.online import PROGRAM, build
from streams.process.errors import keep_memory

ROUNDS, UPDATES = 5, 12


def main() -> None:
    """Prints a table and keeps benchmarks/results/loop.json."""
    keep_memory()  # as the command does
    default = build(PROGRAM.read(["device=cpu"]))
    contiguous = build(PROGRAM.read(["device=cpu"]))
    contiguous.learner.network.to(memory_format=torch.contiguous_format)
    shares, slower = [], []
    for _ in range(ROUNDS + 1):  # the first warms up
        world, stream = default.stream.frames.seconds, default.stream.seconds
        batches = [next(default.stream) for _ in range(UPDATES)]
        fed = default.stream.frames.seconds - world + default.stream.seconds - stream
        learnt = seconds(lambda batches=batches: [default.learner.update(pairs) for pairs in batches])
        plain = [pairs._replace(first=pairs.first.contiguous(), second=pairs.second.contiguous()) for pairs in batches]
        slow = seconds(lambda batches=plain: [contiguous.learner.update(pairs) for pairs in batches])
        shares.append(fed / (fed + learnt))
        slower.append(slow / learnt)
    results = {
        "rendering_and_pairing_share_of_loop": statistics.median(shares[1:]),
        "contiguous_over_channels_last": statistics.median(slower[1:]),
    }
    share, slow = results.values()
    rows = [("share of rendering and pairing", f"{100 * share:.0f} %")]
    rows.append(("learning without channels_last takes", f"{slow:.2f} times as long"))
    head = ("question", "median of rounds")
    show("loop", results, title="The main loop with its defaults, on CPU", head=head, rows=rows)


if __name__ == "__main__":
    main()
