"""What it takes to compare 500 runs, and to make one page of them: seconds and memory, Python's start included.

python benchmarks/many_runs.py [RUNS]

One small run is trained, and copied with other learners, seeds and scores.
"""

import json
import resource
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import zarr
from machine import show
from omegaconf import OmegaConf

from learners.online import PROGRAM
from runs.launch.launch import start
from runs.store.arrays import extended
from runs.store.folder import CHECKSUMS, CONFIG
from runs.store.record import place_checksum, sealed

LEARNERS = ("bp", "dgl", "gll", "rll", "dtp", "rf", "urf", "sign", "none", "dtp_ldrl")
TINY = ["env=counting", "memory=none", "network=conv4", "env.size=16", "env.num_worlds=8", "env.episode_length=8"]
TINY += ["pairs.gap=2", "run.frames=512", "run.log_every=32", "eval.every=64", "device=cpu", "learner=bp"]
TINY += ["eval.train=60", "eval.validation=40", "eval.test=40"]
SCORES = ("eval/linear", "eval/transfer/digits")
COMMANDS = {"compare": ("runs.compare", "--json"), "report": ("runs.report", "--out", "page.html")}
CHILD = """
import runpy, sys
sys.argv[0] = sys.argv.pop(1)
runpy.run_module(sys.argv[0], run_name="__main__")
status = open("/proc/self/status").read()
print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def main() -> None:
    """Measures both commands and keeps the numbers."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    results: dict[str, float] = {"runs": runs}
    with TemporaryDirectory() as place:
        start([*TINY, f"results_dir={place}", "run.name=first"], PROGRAM)
        for number in range(runs):
            copied(Path(place, "first"), Path(place, "many"), learner=LEARNERS[number % 10], seed=number // 10)
        for name, (module, *options) in COMMANDS.items():
            command = [sys.executable, "-c", CHILD, module, "many", *options]
            began, before = perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, check=True, cwd=place, capture_output=True, text=True)
            results[f"{name}_seconds"] = perf_counter() - began
            results[f"{name}_cpu_seconds"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before.ru_utime
            results[f"{name}_megabytes"] = int(done.stderr.split()[-1]) / 1024
        results["page_megabytes"] = Path(place, "page.html").stat().st_size / 1e6
    rows = [(name.replace("_", " "), f"{value:,.1f}") for name, value in results.items()]
    show("many_runs", results, title=f"{runs} runs", head=("what", "result"), rows=rows)


def copied(run: Path, place: Path, *, learner: str, seed: int) -> None:
    """Copies a run as one of another learner and seed, whose scores are a little different."""
    folder = place / f"{learner}-seed{seed}"
    shutil.copytree(run, folder)
    settings = OmegaConf.load(folder / CONFIG)
    settings.learner.name, settings.seed, settings.run.name = learner, seed, folder.name
    data = OmegaConf.to_yaml(settings).encode()
    (folder / CONFIG).write_bytes(data)
    sums = json.loads((folder / CHECKSUMS).read_text())
    sums["files"][CONFIG] = [sha256(data).hexdigest()]
    (folder / CHECKSUMS).write_text(json.dumps(sums))
    root = zarr.open_group(folder / "metrics.zarr", mode="r+")
    attributes = dict(root.attrs)
    shift = np.random.default_rng(seed).normal(LEARNERS.index(learner) / 100, 0.01)
    for series in SCORES:
        array = root[f"{series}/top1"]
        array[:] = values = np.clip(array[:] + shift, 0, 1)
        checksum = place_checksum(attributes["run_id"], series, "top1", array)
        attributes["checksums"][series]["top1"] = extended(checksum, values)
    facts = {"run": folder.name, "learner": learner, "seed": seed}
    root.update_attributes(sealed({name: of for name, of in attributes.items() if name != "checksum"} | facts))


if __name__ == "__main__":
    main()
