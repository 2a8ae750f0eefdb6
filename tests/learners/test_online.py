"""The main job as a whole, on the counting world: what a resumed, a stopped and a killed run come to."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from envs.errors import SettingError
from learners.online import PROGRAM
from learners.run import learner_of
from runs.analysis.summary import summary
from runs.evaluation import finetune
from runs.evaluation.evaluation import Evaluation, known_probes
from runs.launch.start import start
from runs.scores import ScoreKey
from runs.store.checkpoint import load_newest, save
from tests.helpers.learners import same
from tests.helpers.online import SMALL, assert_same_run, outcome, run, stopping


@pytest.mark.parametrize(
    ("learner", "overrides"),
    [
        ("bp", []),
        ("dgl", ["pairs=both", "memory=minred", "memory.capacity=32", "memory.updates=2", "run.frames=96"]),
        ("gll", ["pairs=augmentation", "memory=reservoir", "memory.capacity=16"]),
        ("rll", ["loss=hinge_remembered", "env.num_worlds=1", "run.frames=20", "eval.every=8"]),
        ("dtp", []),
    ],
)
def test_eleven_and_nine_updates_are_twenty_bit_for_bit(tmp_path, monkeypatch, capsys, learner, overrides):
    assert run(tmp_path, "straight", f"learner={learner}", *overrides) == 0
    assert outcome(tmp_path, "straight")[1]["updates"] == 20
    assert ("memory" in outcome(tmp_path, "straight")[2]) == any(text.startswith("memory=") for text in overrides)
    with monkeypatch.context() as patch:
        stopping(patch, 11)
        assert run(tmp_path, "halves", f"learner={learner}", *overrides) == 130
    assert f"run.resume={tmp_path}/halves" in capsys.readouterr().out
    assert load_newest(tmp_path / "halves" / "checkpoints")[0]["updates"] == 11
    assert start([f"run.resume={tmp_path}/halves"], PROGRAM) == 0
    assert_same_run(outcome(tmp_path, "straight"), outcome(tmp_path, "halves"))


def test_a_run_learns_before_its_random_encoder_is_scored_also_if_it_is_stopped_in_between(tmp_path, monkeypatch):
    run(tmp_path, "straight")
    with monkeypatch.context() as patch:
        stopping(patch, 1)
        assert run(tmp_path, "halves") == 130
    assert not any(name.startswith("eval") for name in outcome(tmp_path, "halves")[2])
    assert start([f"run.resume={tmp_path}/halves"], PROGRAM) == 0
    assert_same_run(outcome(tmp_path, "straight"), outcome(tmp_path, "halves"))
    scores = outcome(tmp_path, "halves")[2]["eval/linear"]
    assert scores["frames"].tolist() == [0, 64, 128, 176]
    untrained = learner_of(PROGRAM.read(SMALL))
    again = Evaluation(PROGRAM.read(SMALL), torch.device("cpu")).scores(untrained, frames=0)
    assert scores["top1"][0] == again[ScoreKey()]["top1"]


def test_what_a_memory_holds_is_told_at_the_moments_of_training_and_cut_back_with_them(tmp_path):
    overrides = ["memory=fifo", "memory.capacity=32", "run.log_every=16", "eval.every=0", "run.frames=96"]
    run(tmp_path, "straight", *overrides)
    run(tmp_path, "one", *overrides)
    newest = max((tmp_path / "one" / "checkpoints").glob("*.pt"))
    newest.unlink()  # as if it had been killed just before
    assert start([f"run.resume={tmp_path}/one"], PROGRAM) == 0
    assert_same_run(outcome(tmp_path, "straight"), outcome(tmp_path, "one"))
    series = outcome(tmp_path, "one")[2]
    for name in ("memory", "memory/category"):
        assert series[name]["frames"].tolist() == series["train"]["frames"].tolist()
    assert series["memory"]["held"][-1] == 32


def test_a_polite_kill_saves_too(tmp_path, monkeypatch):
    stopping(monkeypatch, 5, signal.SIGTERM)
    assert run(tmp_path, "one") == 143
    assert load_newest(tmp_path / "one" / "checkpoints")[0]["updates"] == 5


def test_evaluation_cannot_change_training(tmp_path, monkeypatch):
    monkeypatch.setattr(finetune, "STEPS", 4)
    monkeypatch.setattr(finetune, "LOOK", 2)
    run(tmp_path, "scored", "eval.every=24")
    run(tmp_path, "always", "eval.every=48", f"eval.probes=[{','.join(known_probes())}]", "eval.samples=9")
    run(tmp_path, "unscored", "eval.every=0")
    scored, always, unscored = (outcome(tmp_path, name) for name in ("scored", "always", "unscored"))
    assert scored[0] == always[0] == unscored[0]
    assert same(scored[1], unscored[1])
    assert same(always[1], unscored[1])
    assert {"eval/linear", "eval/knn", "eval/blocks/block2", "eval/factors/age", "samples"} <= set(scored[2])
    assert always[2]["eval/finetune/linear"]["frames"].tolist() == [0, 48, 96, 144, 176]
    assert set(unscored[2]) == {"train"}


@pytest.mark.parametrize("learner", ["dgl", "dtp"])
def test_watching_cannot_change_training(tmp_path, learner):
    run(tmp_path, "watched", f"learner={learner}", "eval.every=0", "watch.every=24")
    run(tmp_path, "unwatched", f"learner={learner}", "watch.every=0", "eval.every=0")
    watched, unwatched = outcome(tmp_path, "watched"), outcome(tmp_path, "unwatched")
    assert watched[0] == unwatched[0]
    assert same(watched[1], unwatched[1])
    assert set(unwatched[2]) == {"train"}
    rows = watched[2]["alignment/block2"]
    assert rows["frames"].tolist() == [0, 24, 48, 72, 96, 120, 144, 168, 176]
    assert np.isfinite([*rows.values(), *watched[2]["watch/block2"].values()]).all()


def test_the_heavier_probes_come_at_both_ends_and_the_random_encoder_has_them_all(tmp_path):
    run(tmp_path, "one", "eval.probes=[linear]", "eval.ends=[knn,blocks,few]", "eval.samples=9")
    series = outcome(tmp_path, "one")[2]
    assert series["eval/linear"]["frames"].tolist() == [0, 64, 128, 176]
    ends = {name for name in series if name.startswith("eval/") and series[name]["frames"].tolist() == [0, 176]}
    others = {"knn", "few/1", "few/10"}
    at_blocks = {f"{kind}block{number}" for kind in ("", "knn/", "few/1/", "few/10/") for number in range(1, 5)}
    assert ends == {f"eval/{name}" for name in others} | {f"eval/blocks/{name}" for name in at_blocks}
    assert np.array_equal(series["eval/blocks/block4"]["top1"], series["eval/linear"]["top1"][[0, -1]])
    for name in others:
        assert np.array_equal(series[f"eval/blocks/{name}/block4"]["top1"], series[f"eval/{name}"]["top1"])
    assert series["samples"]["embeddings"].shape == (4, 9, 256)
    assert series["samples"]["frames"].tolist() == [0, 64, 128, 176]
    assert series["samples"]["images"].shape == (9, 16, 16, 3)


@pytest.mark.parametrize("drift", ["categories", "day_night"])
def test_a_drifting_world_is_scored_by_phase_where_each_phase_ends(tmp_path, capsys, drift):
    world = ["env=moving_objects", "env.categories=4", f"env.drift={drift}", "env.phase_length=5"]
    world += ["env.phases=2"] if drift == "categories" else []  # a day and a night are two
    run(tmp_path, "one", *world, "run.frames=96", "eval.ends=[]", "eval.transfer=[]", "eval.samples=0")
    assert "linear probe top-1 by phase" in capsys.readouterr().out
    report = summary(tmp_path / "one")
    assert report["eval"]["phases"]["phase1"]["frames"] == [0, 40, 64, 80, 96]
    assert np.shape(report["continual"]["matrix"]) == (2, 2)
    scores = [report["eval"]["phases"][name]["top1"] for name in ("phase0", "phase1")]
    assert report["continual"]["matrix"] == [[phase[row] for phase in scores] for row in (1, 3)]
    if drift == "day_night":
        assert scores[0] == report["eval"]["linear"]["top1"]
        assert scores[0] != scores[1]


def test_a_run_repeats_itself_and_seeds_differ(tmp_path):
    shas = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(tmp_path, name, f"seed={seed}", "eval.every=0")
        shas.append(outcome(tmp_path, name)[0])
    assert shas[0] == shas[1] != shas[2]


def test_a_longer_run_goes_on_where_a_shorter_one_ended(tmp_path):
    run(tmp_path, "long", "eval.every=0")
    run(tmp_path, "short", "eval.every=0", "run.frames=96")
    assert start([f"run.resume={tmp_path}/short", "run.frames=176"], PROGRAM) == 0
    assert outcome(tmp_path, "long")[0] == outcome(tmp_path, "short")[0]


def test_a_damaged_checkpoint_is_named_and_the_run_ends_as_it_would_have(tmp_path, monkeypatch, capsys):
    run(tmp_path, "straight")
    with monkeypatch.context() as patch:
        stopping(patch, 15)
        run(tmp_path, "one")
    newest = max((tmp_path / "one" / "checkpoints").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert start([f"run.resume={tmp_path}/one"], PROGRAM) == 0
    assert f"{newest.name} is damaged" in capsys.readouterr().err
    assert_same_run(outcome(tmp_path, "straight"), outcome(tmp_path, "one"))


def test_a_run_killed_at_any_moment_resumes_to_the_same_end(tmp_path):
    command = [sys.executable, "-m", "learners.online"]
    overrides = [*SMALL, "run.frames=384", "run.save_every=16", "eval.every=192", f"results_dir={tmp_path}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    draws = random.Random(0)
    arguments = [*overrides, "run.name=killed"]
    for _ in range(3):
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
        process.stdout.readline()  # it has begun
        time.sleep(draws.uniform(0.0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        arguments = [f"run.resume={tmp_path}/killed"]
    assert (
        subprocess.run([*command, *arguments], stdout=subprocess.DEVNULL, env=environment, check=False).returncode == 0
    )
    done = subprocess.run(
        [*command, *overrides, "run.name=straight"], stdout=subprocess.DEVNULL, env=environment, check=False
    )
    assert done.returncode == 0
    assert_same_run(outcome(tmp_path, "straight"), outcome(tmp_path, "killed"))


def test_pictures_and_a_table_are_left_for_a_person(tmp_path, capsys):
    run(tmp_path, "one", "learner=dgl")
    text = capsys.readouterr().out
    assert "random" in text
    assert "frames/s" in text
    for name in ("film_strip.png", "learning_curve.png"):
        assert (tmp_path / "one" / name).read_bytes().startswith(b"\x89PNG")
        assert str(tmp_path / "one" / name) in text.replace("\n", "")


def test_resuming_a_finished_run_shows_it_again(tmp_path, capsys):
    run(tmp_path, "one")
    before = outcome(tmp_path, "one")
    capsys.readouterr()
    assert start([f"run.resume={tmp_path}/one"], PROGRAM) == 0
    assert "one: linear probe" in capsys.readouterr().out
    assert_same_run(before, outcome(tmp_path, "one"))


def test_only_what_was_asked_for_is_left_in_the_results_folder(tmp_path):
    run(tmp_path, "one")
    left = {path.name for path in (tmp_path / "one").iterdir()}
    assert left == {
        ".hydra",
        "checkpoints",
        "checksums.json",
        "metrics.zarr",
        "versions.json",
        "lock",
        "film_strip.png",
        "learning_curve.png",
    }
    shutil.rmtree(tmp_path / "one")


def test_a_run_begun_before_a_setting_existed_goes_on_with_its_default(tmp_path, monkeypatch):
    run(tmp_path, "straight")
    with monkeypatch.context() as patch:
        stopping(patch, 11)
        run(tmp_path, "old")
    config = tmp_path / "old" / ".hydra" / "config.yaml"
    settings = OmegaConf.load(config)
    del settings.eval.transfer, settings.learner.lr
    OmegaConf.save(settings, config)
    assert start([f"run.resume={tmp_path}/old"], PROGRAM) == 0
    assert_same_run(outcome(tmp_path, "straight"), outcome(tmp_path, "old"))


def test_a_checkpoint_of_another_version_is_named(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopping(patch, 11)
        run(tmp_path, "old")
    state, _ = load_newest(tmp_path / "old" / "checkpoints")
    del state["learner"]["network"]
    save(tmp_path / "old" / "checkpoints", state, frames=state["frames"])
    with pytest.raises(SettingError, match="was written by another version"):
        start([f"run.resume={tmp_path}/old"], PROGRAM)


def test_a_setting_that_follows_the_number_of_frames_may_follow_it_to_more(tmp_path):
    assert run(tmp_path, "one", "run.frames=64", "eval.every=${run.frames}", "eval.ends=[]", "eval.transfer=[]") == 0
    assert start([f"run.resume={tmp_path}/one", "run.frames=96"], PROGRAM) == 0
    assert outcome(tmp_path, "one")[2]["eval/linear"]["frames"].tolist() == [0, 64, 96]
