"""A sweep by the launchers that start processes of their own: what fails loses nothing else."""

import json
import sys

import pytest
import torch

from runs import compare
from runs.config.composing import read
from runs.config.sweeps import label
from runs.evaluation.evaluation import tasks
from runs.launch import launch as commands
from runs.scores import WORLD
from tests.helpers.online import SMALL

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


def test_seeds_share_the_images_they_are_scored_on():
    one, other = (tasks(read([*SCORED, f"seed={seed}"]), torch.device("cpu"))[0][WORLD] for seed in (0, 1))
    for part, same in zip(one[1:4], other[1:4], strict=True):
        assert torch.equal(part.images, same.images)


def test_a_label_says_what_varies():
    varied = ["learner=bp", "loss.negatives=5", "seed=0", "loss=ntxent"]
    assert label(varied, learner="bp", seed=0) == "bp-negatives5-ntxent-seed0"
