"""What scoring costs: seconds an evaluation, and its share of a default run; and how long it takes to compare 100 runs.

python benchmarks/evaluation.py
"""

import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from machine import medians, seconds, show
from omegaconf import OmegaConf

from envs.devices import device as device_of
from learners.diagnostics.monitor import monitor
from learners.online import PROGRAM, build
from runs.evaluation.evaluation import Evaluation
from runs.store.folder import RunFolder
from runs.store.metrics import Metrics

ROUNDS, UPDATES = 3, 24
LEARNERS, SEEDS, SCORES = ("bp", "dgl", "gll", "rll", "dtp", "rf", "urf", "sign", "none", "dtp_ldrl"), 10, 5


def parts() -> dict[str, float]:
    """Median seconds of each part of a run with its defaults, and of an update of the loop."""
    settings = PROGRAM.read(["device=cpu"])
    run, device = build(settings), device_of(settings.device)
    evaluation = Evaluation(settings, device)
    making = seconds(lambda: evaluation.tasks)  # images are rendered, and libraries imported, where first needed
    jobs = {
        "update": lambda: [run.learner.update(next(run.stream)) for _ in range(UPDATES)],
        "evaluation_between": partial(evaluation.scores, run.learner, frames=settings.eval.every),
        "evaluation_at_an_end": partial(evaluation.scores, run.learner, frames=0),
        "watch": partial(monitor, run.learner, run.monitor_batch),
        "baselines": evaluation.baselines,
    }
    took = {"making_the_test_images": making} | medians(jobs, rounds=ROUNDS)
    return took | {"update": took["update"] / UPDATES}


def shares(took: dict[str, float]) -> dict[str, float]:
    """What each part is of the time of a default run."""
    settings = PROGRAM.read([])
    updates = settings.run.frames // settings.env.num_worlds * settings.memory.updates
    between, looks = settings.run.frames // settings.eval.every - 1, settings.run.frames // settings.eval.every + 1
    counts = {"update": updates, "evaluation_between": between, "evaluation_at_an_end": 2, "watch": looks}
    spent = {name: counts.get(name, 1) * one for name, one in took.items()}
    return {name: one / sum(spent.values()) for name, one in spent.items() if name != "update"}


def comparing() -> float:
    """Seconds of `python -m runs.compare` on a folder of 100 runs, Python's start included."""
    with TemporaryDirectory() as place:
        for learner in LEARNERS:
            settings = PROGRAM.read([f"learner={learner}"])
            for seed in range(SEEDS):
                whole, overrides = OmegaConf.merge(settings, {"seed": seed}), [f"learner={learner}", f"seed={seed}"]
                with RunFolder.create(Path(place), f"{learner}-{seed}", whole, overrides) as folder:
                    identity = {"run": folder.path.name, "learner": learner, "seed": seed}
                    invent(Metrics.create(folder.metrics, identity, run_id=folder.run_id), whole)
        command = [sys.executable, "-m", "runs.compare", place, "--json"]
        return seconds(partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL))


def invent(metrics: Metrics, settings) -> None:
    """What a run measures, made up."""
    for task in ("linear", "transfer/digits"):
        for name in ("pixels", "mean_colour", "majority_class", "chance"):
            metrics.add(f"baseline/{name}/{task}", 0, {"top1": 0.1})
        for number in range(SCORES):
            top1 = 0.4 + 0.04 * number + 0.001 * settings.seed
            metrics.add(f"eval/{task}", number * settings.eval.every, {"top1": top1, "strength": 1.0})
    metrics.commit(frames=settings.run.frames, updates=508, weights_sha256="0")


def main() -> None:
    """Prints a table and keeps benchmarks/results/evaluation.json."""
    took = parts()
    share = shares(took)
    results = {
        "seconds": took,
        "share_of_a_default_run": share,
        "all_of_them": sum(share.values()),
        "comparing_100_runs_s": comparing(),
    }
    rows = [(name.replace("_", " "), f"{took[name]:.2f}", f"{100 * part:.1f} %") for name, part in share.items()]
    rows.append(("all of them", "", f"{100 * results['all_of_them']:.1f} %"))
    rows.append(("comparing 100 runs", f"{results['comparing_100_runs_s']:.1f}", ""))
    head = ("", "seconds", "share of a run")
    show("evaluation", results, title="Scoring a run with its defaults, CPU", head=head, rows=rows)


if __name__ == "__main__":
    main()
