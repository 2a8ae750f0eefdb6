"""Jobs on a real SLURM, which runs on this machine: signalled, queued again, and ended as if nothing had happened."""

import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from runs.analysis.summary import summary
from tests.helpers.online import SMALL, assert_same_run, outcome, run
from tests.helpers.slurm import installed, slurm

ROOT = Path(__file__).parents[2]
JOB = [*SMALL, "run.frames=1024", "run.save_every=4096", "eval.every=0", "learner=bp"]
PATIENCE_S = 300

pytestmark = [
    pytest.mark.skipif(not installed(), reason="needs SLURM (Debian's slurm-wlm and munge)"),
    pytest.mark.xdist_group("slurm"),
]


@pytest.fixture(scope="module")
def cluster():
    """Runs one of SLURM's commands, or any other, and returns what it prints."""
    with slurm() as environment:
        environment |= {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}

        def call(*command, **options):
            text = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
            assert text.returncode == 0, text.stderr
            return text.stdout

        call.environment = environment
        yield call


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run comes to that is never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, "whole", *JOB) == 0
    return outcome(folder, "whole")


def scripts():
    """The sbatch files that the documentation shows."""
    return re.findall(r"^```bash\n(.*?)^```", (ROOT / "docs/howto/clusters.md").read_text(), re.MULTILINE | re.DOTALL)


def submit(cluster, tmp_path, *overrides, number=0):
    """The number of a job that runs a documented script."""
    script = tmp_path / "job.sh"
    script.write_text(scripts()[number].replace("--nproc-per-node=4", "--nproc-per-node=2"))
    options = ["--parsable", "--nodes=1", "--cpus-per-task=1", f"--output={tmp_path}/out.txt"]
    return cluster("sbatch", *options, str(script), *overrides, f"results_dir={tmp_path}").strip()


def wait_for(condition, output=None):
    end = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < end, output.read_text() if output and output.exists() else "nothing was printed"
        sleep(0.05)


def about(cluster, job):
    return dict(re.findall(r"(\w+)=(\S+)", cluster("scontrol", "show", "job", job)))


def has_begun(folder):
    return lambda: any((folder / "checkpoints").glob("*.pt"))


def test_a_job_that_is_signalled_saves_is_queued_again_and_ends_as_if_it_had_never_stopped(cluster, tmp_path, whole):
    job = submit(cluster, tmp_path, *JOB)
    wait_for(has_begun(tmp_path / "long"), tmp_path / "out.txt")
    cluster("scancel", "--signal=USR1", job)
    wait_for(lambda: about(cluster, job)["JobState"] == "COMPLETED", tmp_path / "out.txt")
    assert about(cluster, job)["Restarts"] == "1"
    assert "stopped and saved at" in (tmp_path / "out.txt").read_text()
    assert_same_run(outcome(tmp_path, "long"), whole)
    assert "is complete, passed over" in cluster(sys.executable, "-m", "learners.online", *same_again(tmp_path))


def same_again(tmp_path):
    return ["run.name=long", "run.resume=auto", *JOB, f"results_dir={tmp_path}"]


def test_a_job_of_several_processes_is_queued_again_once_all_have_saved(cluster, tmp_path):
    job = submit(cluster, tmp_path, *JOB, number=1)
    wait_for(has_begun(tmp_path / "wide"), tmp_path / "out.txt")
    cluster("scancel", "--batch", "--signal=USR1", job)  # as --signal=B:USR1@120 does
    wait_for(lambda: about(cluster, job)["JobState"] == "COMPLETED", tmp_path / "out.txt")
    assert about(cluster, job)["Restarts"] == "1"
    assert "stopped and saved at" in (tmp_path / "out.txt").read_text()
    assert summary(tmp_path / "wide")["frames"] == 1024


def test_each_task_of_a_sweeps_job_is_a_rank_of_its_run(cluster, tmp_path):
    launcher = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.tasks_per_node=2"]
    settings = [*JOB, "run.frames=64", f"results_dir={tmp_path}", "run.group=sweep"]
    cluster(sys.executable, "-m", "learners.online", "-m", *launcher, *settings)
    run = tmp_path / "sweep" / "bp-seed0"
    assert summary(run)["frames"] == 64
    assert len(list((run / "checkpoints").glob("*-rank1-*.part"))) == len(list((run / "checkpoints").glob("*.pt")))


def test_a_job_that_is_cancelled_saves_and_does_not_come_back(cluster, tmp_path):
    job = submit(cluster, tmp_path, *JOB, "run.frames=65536")
    wait_for(has_begun(tmp_path / "long"), tmp_path / "out.txt")
    cluster("scancel", job)
    wait_for(lambda: not cluster("squeue", "--noheader", f"--jobs={job}"), tmp_path / "out.txt")
    assert (about(cluster, job)["JobState"], about(cluster, job)["Restarts"]) == ("CANCELLED", "0")
    assert "stopped and saved at" in (tmp_path / "out.txt").read_text()


def test_a_sweep_by_submitit_goes_on_with_a_job_that_was_preempted(cluster, tmp_path, whole):
    overrides = [*JOB, f"results_dir={tmp_path}", "run.group=sweep"]
    launcher = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1"]
    command = [sys.executable, "-m", "learners.online", "-m", *launcher, *overrides]
    sweep = subprocess.Popen(command, env=cluster.environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    first = tmp_path / "sweep" / "bp-seed0"
    wait_for(has_begun(first))
    jobs = cluster("squeue", "--noheader", "--array", "--format=%i").split()
    cluster("scancel", "--signal=USR2", min(jobs))
    _, err = sweep.communicate(timeout=PATIENCE_S)
    assert sweep.returncode == 0, err
    logs = "".join(path.read_text() for path in (tmp_path / ".submitit").glob("*/*_log.*"))
    assert "stopped and saved at" in logs
    assert "Exiting gracefully after preemption" in logs
    assert_same_run(outcome(tmp_path / "sweep", "bp-seed0"), whole)
