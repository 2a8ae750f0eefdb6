"""Processes that torch counts as ranks, started by hand: what each of them does is a module's `main`."""

import os
import socket
import subprocess
import sys

LIMIT_S = 600  # after which processes that wait for one another are taken to hang


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start_ranks(*command, size=2, commands=None, env=None):
    """Processes of `python *command`, one a rank, or of each rank's own of `commands`."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(size)}
    common = {**os.environ, "OMP_NUM_THREADS": "1", **address, **(env or {})}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, (commands or {}).get(rank, command))],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def ended(processes):
    """(status, stdout, stderr) of each, once all have ended."""
    try:
        outputs = [process.communicate(timeout=LIMIT_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]
