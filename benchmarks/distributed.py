"""How many frames a second one and two ranks learn from, and what of the time goes into exchanges.

    python benchmarks/distributed.py      # the main job's network and world, memory=none, by two rules at two batches

One process with one thread and with two, two ranks of one thread each, and two processes that have half the worlds each
and exchange nothing (what the machine could give at most, with losses of half as many rows), take turns, each in
processes of their own.
Exchanges include waiting for the other rank. What more ranks on GPUs would reach is derived from the bytes and the
number of exchanges of an update, which are counted, and from the assumptions that are named below.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from itertools import chain, product
from time import perf_counter
from typing import Any

from machine import show

from learners.networks.feedback import feedback_twins
from learners.online import PROGRAM
from learners.run import build
from streams.process import ranks

WARM, ROUNDS, FRAMES = 1, 2, 1_536  # frames that are learned from in a round, by each kind
LEARNERS, WORLDS = ("dgl", "bp"), (128, 512)
APART = "two processes apart"
KINDS = {  # processes, threads of each
    "one process": (1, 1),
    "one process, two threads": (1, 2),
    "two ranks": (2, 1),
    APART: (2, 1),
}
PROMISED = 1.8  # times one process, by two ranks on two cores

# Assumed, of GPUs: what an exchange takes that has next to no bytes, between processes and between GPUs, in one machine
# and over a network, and what a GPU sends a second; an update of 128 rows a GPU.
GLOO_S = {1: 60e-6, 8: 150e-6}  # by the number of machines, 8 ranks each
NCCL_S = {1: 30e-6, 8: 90e-6}
BYTES_PER_S = {1: 300e9, 8: 40e9}
GPU_UPDATE_S = 3e-3


class Counted(ranks.JoinedRanks):
    """Ranks that take the time of their exchanges and count their bytes."""

    def __init__(self):
        super().__init__()
        self.reset()

    def reset(self) -> None:
        """Begins anew."""
        self.seconds, self.small, self.large, self.bytes = 0.0, 0, 0, 0

    def _timed(self, size: int, job: Any, *arguments: Any) -> Any:
        start = perf_counter()
        result = job(*arguments)
        self.seconds += perf_counter() - start
        self.bytes += size
        self.small, self.large = self.small + (size < 4096), self.large + (size >= 4096)
        return result

    def any(self, flag):
        """As of any ranks, as all that follow."""
        return self._timed(8, super().any, flag)

    def counts(self, count):  # noqa: D102
        return self._timed(8, super().counts, count)

    def sum_(self, tensor):  # noqa: D102
        return self._timed(tensor.numel() * tensor.element_size(), super().sum_, tensor)

    def gather_rows(self, rows, counts):  # noqa: D102
        return self._timed(rows.numel() * rows.element_size(), super().gather_rows, rows, counts)


def as_rank(overrides: list[str]) -> None:
    """Learns for a while, and prints what that took as JSON."""
    counted = None
    if "RANK" in os.environ:
        ranks._present = counted = Counted()
    settings = PROGRAM.read(overrides)
    run, updates = build(settings), FRAMES // settings.env.num_worlds
    for number in range(WARM + updates):
        if number == WARM:
            start, before = perf_counter(), run.frames
            if counted:
                counted.reset()
        pairs = next(run.stream)
        run.advance(pairs, run.learner.update(pairs))
        run.ranks.any(False)
    took = perf_counter() - start
    result: dict[str, Any] = {"frames_per_s": (run.frames - before) / took}
    if counted:
        per_update = {name: getattr(counted, name) / updates for name in ("small", "large", "bytes")}
        result |= {"share_in_exchanges": counted.seconds / took, **per_update}
        counted.close()
    print(json.dumps(result), file=sys.__stdout__)


def measured(kind: str, overrides: list[str], worlds: int) -> dict[str, float]:
    """What processes of a kind came to; the first rank's."""
    size, threads = KINDS[kind]
    environment, joined = {**os.environ, "OMP_NUM_THREADS": str(threads)}, size > 1 and kind != APART
    overrides = [*overrides, f"env.num_worlds={worlds // size if kind == APART else worlds}"]
    if joined:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        environment |= {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--rank", *overrides],
            env=environment | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if joined else {}),
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    outputs = [json.loads(process.communicate()[0]) for process in processes]
    return {"frames_per_s": sum(of["frames_per_s"] for of in outputs)} if kind == APART else outputs[0]


def derived(of_update: dict[str, float], machines: int) -> dict[str, float]:
    """What 8 GPUs a machine would reach, 128 rows each: the share of an update that is not spent in exchanges.

    A ring sends and takes each byte of a sum twice, less one part; gathered embeddings grow with the number of ranks,
    as does the loss of them, which every rank computes whole.
    """
    size = 8 * machines
    sent = 2 * (size - 1) / size * of_update["bytes"] + of_update["gathered"] * (size - 2) / 2
    exchanges = of_update["small"] * GLOO_S[machines] + of_update["large"] * NCCL_S[machines]
    wires = sent / BYTES_PER_S[machines]
    return {
        "efficiency": GPU_UPDATE_S / (GPU_UPDATE_S + exchanges + wires),
        "exchanges_ms": 1e3 * exchanges,
        "bytes_ms": 1e3 * wires,
    }


def main() -> None:
    """Prints tables and keeps benchmarks/results/distributed.json."""
    if sys.argv[1:2] == ["--rank"]:
        return as_rank(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    results, rows, notes = {}, [], []
    for learner, worlds in product(LEARNERS, WORLDS):
        of_this = compared(learner, worlds, rounds=args.rounds)
        results[f"{learner}, {worlds} worlds"] = of_this
        rows.append(
            (
                f"{learner}, {worlds} worlds",
                f"{of_this['frames_per_s']['one process']:,.0f}",
                *(f"{of_this['times_one_process'][kind]:.2f}" for kind in (*KINDS,)[1:]),
                f"{of_this['over_threads']:.2f}",
                f"{100 * of_this['share_in_exchanges']:.1f} %",
            )
        )
        exchanged = of_this["of_update"]
        gpus = "; ".join(f"{size} GPUs {100 * of['efficiency']:.0f} %" for size, of in of_this["derived"].items())
        notes.append(
            f"{learner}, {worlds} worlds: an update is {exchanged['small']:.0f} small and {exchanged['large']:.0f} "
            f"large exchanges, {exchanged['bytes'] / 1e6:.1f} MB; of their speed would keep {gpus}"
        )
    notes.append(f"promised: two ranks {PROMISED} times one process, and no slower than two threads")
    head = ("", "frames/s, one process", *(*KINDS,)[1:], "ranks over threads", "in exchanges")
    show("distributed", results, *notes, title="Times one process, on CPU", head=head, rows=rows)
    return None


def compared(learner: str, worlds: int, *, rounds: int) -> dict[str, Any]:
    """All kinds in turns, so many rounds: medians, of speeds and of ratios within a round."""
    overrides = [f"learner={learner}", "memory=none", "device=cpu", "run.frames=65536"]
    took = [{kind: measured(kind, overrides, worlds) for kind in KINDS} for _ in range(rounds)]
    speed = [{kind: of["frames_per_s"] for kind, of in each.items()} for each in took]

    def over(beside: str, kind: str) -> float:
        return statistics.median(each[kind] / each[beside] for each in speed)

    of_update = {name: took[0]["two ranks"][name] for name in ("small", "large", "bytes")}
    of_update["gathered"] = max(of_update["bytes"] - exchanged_bytes(overrides), 0.0)
    return {
        "frames_per_s": {kind: statistics.median(each[kind] for each in speed) for kind in KINDS},
        "times_one_process": {kind: over("one process", kind) for kind in KINDS},
        "over_threads": over("one process, two threads", "two ranks"),
        "share_in_exchanges": statistics.median(each["two ranks"]["share_in_exchanges"] for each in took),
        "of_update": of_update,
        "derived": {str(8 * machines): derived(of_update, machines) for machines in (1, 8)},
        "rounds": took,
    }


def exchanged_bytes(overrides: list[str]) -> int:
    """Of the gradients of all weights, an updated feedback's not counted, which are those of its forward weights."""
    learner = build(PROGRAM.read(overrides)).learner
    parts = (learner.network, learner.losses)
    weights = {*chain.from_iterable(part.parameters() for part in parts)} - feedback_twins(*parts).keys()
    return sum(4 * weight.numel() for weight in weights)


if __name__ == "__main__":
    main()
