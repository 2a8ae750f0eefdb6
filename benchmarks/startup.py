"""How long commands take to start, Python's start included, beside importing torch: python benchmarks/startup.py

A process each, in turns: `--help`, `runs.show` of a small run, and the main job with its defaults up to its first
update.
"""

import subprocess
import sys
from tempfile import TemporaryDirectory

from machine import medians, show

from learners.online import PROGRAM
from runs.launch.launch import start

ROUNDS = 3
SMALL = ["env=counting", "memory=none", "network=conv4", "env.size=16", "env.num_worlds=8", "env.episode_length=8"]
SMALL += ["pairs.gap=2", "run.frames=512", "eval.train=60", "eval.validation=40", "eval.test=40", "device=cpu"]
TO_FIRST_UPDATE = """
import os, learners
learners.train({"results_dir": "first"}, callbacks=[lambda run, report: os._exit(0)])
"""


def main() -> None:
    """Measures all in turns and keeps the medians and their ratios."""
    python = sys.executable
    commands = {
        "import torch": [python, "-c", "import torch"],
        "--help": [python, "-m", "learners.online", "--help"],
        "--list loss=hinge": [python, "-m", "learners.online", "--list", "loss=hinge"],
        "runs.show": [python, "-m", "runs.show", "small"],
        "first update": [python, "-c", TO_FIRST_UPDATE],
    }
    with TemporaryDirectory() as place:
        start([*SMALL, f"results_dir={place}", "run.name=small"], PROGRAM)

        def job(command: list[str]):
            return lambda: subprocess.run(command, check=True, cwd=place, capture_output=True)

        took = medians({name: job(command) for name, command in commands.items()}, rounds=ROUNDS)
    ratios = {name: seconds / took["import torch"] for name, seconds in took.items()}
    rows = [(name, f"{took[name]:.2f}", f"{ratios[name]:.2f}") for name in commands]
    head = ("what", "seconds", "of importing torch")
    show("startup", {"seconds": took, "ratio": ratios}, title="until a command begins", head=head, rows=rows)


if __name__ == "__main__":
    main()
