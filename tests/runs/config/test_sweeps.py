"""A sweep by the launchers that start processes of their own: what fails loses nothing else."""

import json
import os
import signal
import sys

import pytest
import torch

from runs import compare
from runs.config.composing import read
from runs.config.sweeps import label, run_sweep
from runs.evaluation.evaluation import Evaluation
from runs.launch import launch
from runs.launch import start as commands
from runs.scores import WORLD
from tests.helpers.online import SMALL, stopping

SCORED = [*SMALL, "run.frames=32", "eval.every=32", "eval.ends=[]", "eval.transfer=[]", "eval.samples=0"]
LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local"],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_run_that_fails_loses_no_other_by_a_launcher_of_processes(tmp_path, online, launcher, monkeypatch, capsys):
    overrides = [*SCORED, f"results_dir={tmp_path}", "run.group=sweep"]
    bad = tmp_path / "sweep" / "bp-seed0"
    (bad / "notes").mkdir(parents=True)  # so that a run of this name finds its folder used
    status, text = online("-m", *overrides, *LAUNCHERS[launcher], "learner=bp,none", "watch.every=0")
    assert status == 2
    assert text.count("failed: ") == 1
    assert "learner=bp" in text
    assert [path.name for path in bad.iterdir()] == ["notes"]
    monkeypatch.setattr(sys, "argv", ["compare", str(tmp_path / "sweep"), "--json"])
    compare.main()
    comparison = json.loads(capsys.readouterr().out)
    assert [row["group"] for row in comparison["tasks"]["linear"]["groups"]] == ["none"]
    assert comparison["tasks"]["linear"]["frames"] == 32


def test_runs_of_a_sweep_without_a_group_are_named_after_what_varies(tmp_path, online, monkeypatch):
    monkeypatch.setattr(commands, "_follow", lambda *_: 0)
    overrides = [*SCORED, f"results_dir={tmp_path}", "eval.every=0"]
    assert online("-m", *overrides, "loss.positive_margin=1,2", "seed=3")[0] == 0
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert [name.rpartition("-seed3-")[0] for name in names] == [f"counting-dgl-positive_margin{n}" for n in (1, 2)]


def test_the_signal_that_stopped_a_run_goes_to_what_took_it_before_and_the_sweep_stops(tmp_path, online, monkeypatch):
    taken = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: taken.append(number))
    try:
        stopping(monkeypatch, 1, signal.SIGUSR2)
        overrides = [*SCORED, f"results_dir={tmp_path}", "eval.every=0", "run.group=sweep", "seed=0,1"]
        assert online("-m", *overrides)[0] == 130
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert taken == [signal.SIGUSR2]
    assert [path.name for path in (tmp_path / "sweep").iterdir()] == ["dgl-seed0"]


def test_a_sweep_that_is_stopped_says_how_far_it_is_and_that_it_goes_on(tmp_path, online, monkeypatch):
    monkeypatch.setattr(commands, "_trained", lambda *_: 0)
    overrides = ["-m", *SCORED, f"results_dir={tmp_path}", "eval.every=0", "seed=0,1,2"]
    whole, statuses = commands.start_or_resume, iter([0, 130])
    monkeypatch.setattr(launch, "start_or_resume", lambda *of, **named: whole(*of, **named) or next(statuses))
    status, text = online(*overrides, "run.group=sweep")
    assert (status, text) == (
        130,
        "the sweep was stopped with 1 of 3 runs complete; the same command goes on with it\n",
    )
    statuses = iter([130])
    assert "with 0 of 3 runs complete; with run.group=NAME, the same" in online(*overrides)[1]


def test_a_sweep_that_is_stopped_between_two_runs_says_so(tmp_path, online, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("runs.config.sweeps._name_ranks", interrupted)  # before its first run
    status, text = online("-m", *SCORED, f"results_dir={tmp_path}", "run.group=sweep", "seed=0,1")
    assert (status, text) == (130, "the sweep was stopped; the same command goes on with it\n")


@pytest.mark.parametrize(
    ("varied", "message"),
    [
        (["learner=dgl,bp", "run.name=same"], "two runs, learner=dgl and learner=bp; leave run.name out"),
        (["seed=0,1", "run.name=x-${learner.name}"], "x-dgl would be the folder of two runs, seed=0 and seed=1; leave"),
    ],
)
def test_two_runs_of_one_folder_are_found_before_the_first_begins(tmp_path, online, varied, message):
    status, text = online("-m", *SCORED, f"results_dir={tmp_path}/results", *varied)
    assert status == 2
    assert message in text
    assert text.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_each_task_of_a_submitit_job_is_a_rank(monkeypatch):
    task = {"NTASKS": "2", "JOB_NUM_NODES": "1", "NODEID": "0", "GLOBALID": "1", "LOCALID": "1", "JOB_ID": "7"}
    for name, value in {f"SUBMITIT_LOCAL_{name}": value for name, value in task.items()}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    monkeypatch.setattr(sys, "argv", ["online", "-m", "seed=3"])
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    for name in names:
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    assert run_sweep(lambda overrides: int([os.environ[name] for name in names[:4]] != ["1", "2", "1", "2"])) == 0
    assert all(os.environ[name] for name in names)


def test_a_sweep_whose_jobs_may_run_twice_needs_a_group(tmp_path, online):
    status, text = online("-m", *SCORED, f"results_dir={tmp_path}/results", "hydra/launcher=submitit_slurm", "seed=0,1")
    assert status == 2
    assert "add run.group=NAME" in text
    assert not (tmp_path / "results").exists()


def test_seeds_share_the_images_they_are_scored_on():
    one, other = (Evaluation(read([*SCORED, f"seed={seed}"]), torch.device("cpu")).tasks[WORLD] for seed in (0, 1))
    for part, same in zip(one[1:4], other[1:4], strict=True):
        assert torch.equal(part.images, same.images)


def test_a_label_says_what_varies():
    varied = ["learner=bp", "loss.negatives=5", "seed=0", "loss=ntxent"]
    assert label(varied, learner="bp", seed=0) == "bp-negatives5-ntxent-seed0"
