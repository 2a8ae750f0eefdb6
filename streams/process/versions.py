"""The versions and the machine that numbers depend on besides the settings."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("contiguity", "torch", "torchvision", "kornia", "gymnasium", "warp-lang", "zarr", "hydra-core", "numpy")


def versions() -> dict[str, Any]:
    """Returns versions of Python, packages and this code, the platform and the number of CPUs."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpus": cpus(),
        "commit": _commit(),
        **{name: version(name) for name in PACKAGES},
    }


def cpus() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache  # of the code that this process runs, whatever is edited meanwhile
def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
