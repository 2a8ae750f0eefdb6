"""A real SLURM on this machine: one node on the loopback address, its files in a temporary folder.

python -m tests.helpers.slurm COMMAND ...   # runs a command to which sbatch, srun, scontrol and squeue speak of it
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from getpass import getuser
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # where Debian puts daemons
PATIENCE_S = 30.0
CONFIG = """\
ClusterName=one
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def installed() -> bool:
    """Whether SLURM and MUNGE are installed here."""
    return all(shutil.which(name, path=PATH) for name in DAEMONS)


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """The environment in which SLURM's commands speak of a cluster that lives as long as the context."""
    with TemporaryDirectory(prefix="slurm") as name, ExitStack() as ends:
        folder = Path(name)
        environment = os.environ | {"PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}
        _configure(folder)
        for command in _commands(folder):
            log = ends.enter_context((folder / f"{command[0]}.out").open("w"))
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            ends.callback(_end, process)
            if command[0] == "munged":
                _wait_for((folder / "munge.socket").exists, folder)
        _wait_for(lambda: "idle" in _said(environment, "sinfo", "--noheader", "--format=%T"), folder)
        ends.callback(_said, environment, "scancel", "--full", "--signal=KILL", f"--user={getuser()}")
        yield environment


def _configure(folder: Path) -> None:
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [each.getsockname()[1] for each in sockets]
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, ports=ports, user=getuser(), host=host))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(1024))
    folder.chmod(0o711)


def _commands(folder: Path) -> list[list[str]]:
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    munge = [f"--{option}={folder / name}" for option, name in files.items()]
    return [
        ["munged", "--foreground", "--force", *munge, f"--log-file={folder / 'munge.log'}"],
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D", "-c"],
    ]


def _wait_for(condition, folder: Path) -> None:
    end = monotonic() + PATIENCE_S
    while not condition():
        if monotonic() > end:
            texts = [f"{file.name}:\n{file.read_text()[-2000:]}" for file in sorted(folder.glob("*.out"))]
            raise TimeoutError("SLURM does not start:\n" + "\n".join(texts))
        sleep(0.1)


def _said(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return
    process.kill()
    process.wait()


if __name__ == "__main__":
    with slurm() as cluster:
        sys.exit(subprocess.run(sys.argv[1:], env=cluster, check=False).returncode)
