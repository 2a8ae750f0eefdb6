"""A user's own mistakes: one line, a non-zero exit, and nothing lost or left behind."""

import errno
import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import streams
from learners.online import PROGRAM
from learners.rules.base import Learner
from runs import show
from runs.analysis.summary import summary
from runs.launch import launch
from runs.launch import start as commands
from runs.store import checkpoint
from tests.helpers.online import SMALL, assert_same_run, outcome, stopping
from tests.helpers.runs import fake_run

TINY = [*SMALL, "run.frames=32", "eval.every=0"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("env=countin", "did you mean counting?"),
        ("learner=bpp", "did you mean bp?"),
        ("env.sise=32", "did you mean env.size?"),
        ("pairs.gap=8", "pairs.gap=8 is longer than an episode"),
        ("memory=minredd", "did you mean minred?"),
        ("env.num_worlds=1", "batch of one"),
        ("env.num_worlds=0", "env.num_worlds=0"),
        ("env.size=8", "env.size=8 is too small for conv4"),
        ("eval.transfer=[digit]", "did you mean digits?"),
        ("run.name=a/b", "run.name="),
        ("eval.ends=[knn,fintune]", "did you mean finetune?"),
        ("loss.negatives=-1", "loss.negatives=-1"),
        ("run.resume=nowhere", "run.resume=nowhere is no run"),
        ("device=cuda:99", "device=cuda:99"),
        ("experiment=plausible", "did you mean plausible_vs_backprop?"),
        ("learner=bp,dgl", "learner=bp,dgl is more than one value; a sweep over them begins with -m"),
        ("run.group=a/b", "run.group='a/b'"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(tmp_path, online, override, message):
    status, text = online(*TINY, f"results_dir={tmp_path}/results", override)
    assert status == 2
    assert message in text
    assert text.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "loss/mine",
            "margin: 0.5",
            "loss.kind is missing, which names the part that is used; add it to the YAML file",
        ),
        ("loss/mine", "- 1", "loss is a YAML file without settings"),
        ("learner/mine", "lr: 0.001", "learner.schedule is missing"),
        ("network/mine", "gain: 1", "network.name is missing"),
        ("network/mine", "name: conv4", "network is a YAML file without its defaults"),
    ],
)
def test_what_a_part_of_ones_own_lacks_is_one_line(tmp_path, online, file, text, message):
    (tmp_path / file).parent.mkdir()
    (tmp_path / f"{file}.yaml").write_text(text)
    others = [override for override in TINY if not override.startswith("network=")]
    chosen = file.replace("/", "=")
    status, error = online(*others, f"results_dir={tmp_path}/results", f"hydra.searchpath=[{tmp_path}]", chosen)
    assert status == 2
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_part_of_ones_own_is_called_as_its_file_where_it_says_no_name(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "nearer.yaml").write_text("kind: examples.triplet.triplet")
    assert PROGRAM.read([f"hydra.searchpath=[{tmp_path}]", "loss=nearer"]).loss.name == "nearer"


def pictures(folder, *, classes):
    """A folder of small pictures, in sub-folders where there are classes."""
    for number in range(24):
        place = folder / f"class{number % classes}" if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (10 * number, 40, 90)).save(place / f"{number}.png")
    return folder


def test_what_cannot_be_scored_on_is_told_before_there_is_a_folder(tmp_path, online):
    flat = pictures(tmp_path / "flat", classes=0)
    images = np.zeros((30, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "plain.npz", images=images)
    np.savez(tmp_path / "half_train.npz", images=images, labels=np.arange(30) % 3)
    np.savez(tmp_path / "half_test.npz", images=images)
    tiny = [text for text in TINY if not text.startswith(("eval.every", "env"))]
    for overrides, message in (
        (["env=moving_images", f"env.path={flat}"], f"env.path={flat} shows one class only"),
        ([f"eval.transfer=[{tmp_path}/plain.npz]"], "no labels, or one class only"),
        ([f"eval.transfer=[{tmp_path}/half_train.npz]"], "its test pictures have no labels"),
        ([f"eval.transfer=[{tmp_path}/gone.npz]"], "gone.npz] isn't there"),
        (["eval.transfer=[svhn]", f"eval.data_root={tmp_path}"], "or set eval.download=true"),
        (["eval.transfer=[svhn]", f"eval.data_root={tmp_path}/nope"], "nope isn't there; give the folder that holds"),
        (["eval.transfer=[all]", f"eval.data_root={tmp_path}/plain.npz"], "plain.npz is no folder"),
    ):
        world = [] if "env=moving_images" in overrides else ["env=counting"]
        where = ["env.size=16", "env.num_worlds=8", "env.episode_length=8", f"results_dir={tmp_path}/results"]
        status, text = online(*world, *overrides, *tiny, *where)
        assert status == 2
        assert message in text
        assert text.count("\n") == 1
        assert not (tmp_path / "results").exists()
    assert "eval.every=0" in online("env=moving_images", f"env.path={flat}", *tiny, *where)[1]
    assert online("env=moving_images", f"env.path={flat}", *tiny, *where, "eval.every=0", "watch.every=0")[0] == 0


def test_a_used_folder_is_refused_and_not_touched(tmp_path, online):
    overrides = (*TINY, f"results_dir={tmp_path}", "run.name=one")
    assert online(*overrides)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    status, text = online(*overrides)
    assert status == 2
    assert f"run.resume={tmp_path}/one" in text
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_resuming_with_other_settings_lists_them(tmp_path, online):
    online(*TINY, f"results_dir={tmp_path}", "run.name=one")
    status, text = online(f"run.resume={tmp_path}/one", "learner.lr=0.5", "pairs.gap=3")
    assert status == 2
    assert "learner.lr: 0.001 in the run, 0.5 asked for" in text
    assert "pairs.gap: 2 in the run, 3 asked for" in text


def test_a_greedy_schedule_is_not_stretched(tmp_path, online):
    online(*TINY, f"results_dir={tmp_path}", "run.name=one", "learner=gll")
    status, text = online(f"run.resume={tmp_path}/one", "run.frames=64")
    assert status == 2
    assert "run.frames=64" in text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_is_one_line_and_the_run_can_go_on(tmp_path, online, monkeypatch, number):
    whole, calls = checkpoint.replace, []

    def full(path: Path, data: bytes) -> None:
        calls.append(path)
        if path.suffix == ".pt" and len(calls) > 4:
            raise OSError(number, errno.errorcode[number], str(path))
        whole(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "replace", full)
        status, text = online(*SMALL, "eval.every=0", f"results_dir={tmp_path}", "run.name=one")
    assert status == 2
    assert text.count("\n") == 1
    assert errno.errorcode[number] in text
    assert online(f"run.resume={tmp_path}/one")[0] == 0


def test_a_sweep_runs_every_combination_in_its_own_folder_also_of_ones_own_parts(tmp_path):
    overrides = [*TINY, f"results_dir={tmp_path}", "learner=bp,dgl", "seed=0,1"]
    own = ["hydra.searchpath=[examples/conf]", "loss=triplet"]
    done = subprocess.run(
        [sys.executable, "-m", "learners.online", "-m", *overrides, *own],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    reports = [summary(path) for path in tmp_path.iterdir() if path.is_dir()]
    assert {(report["learner"], report["seed"]) for report in reports} == {("bp", 0), ("bp", 1), ("dgl", 0), ("dgl", 1)}


def test_the_json_of_a_run_is_the_object_that_scripts_rely_on(tmp_path, online, monkeypatch, capsys):
    online(*SMALL, f"results_dir={tmp_path}", "run.name=one")
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["show", str(tmp_path / "one"), "--json"])
    show.main()
    report = json.loads(capsys.readouterr().out)
    facts = ["run", "learner", "loss", "seed", "frames", "updates", "device", "weights_sha256", "complete"]
    assert list(report) == [*facts, "eval", "baseline", "speed"]
    assert (report["run"], report["learner"], report["frames"], report["updates"]) == ("one", "dgl", 176, 20)
    assert report["eval"]["linear"]["frames"] == [0, 64, 128, 176]
    assert len(report["eval"]["transfer"]["digits"]["top1"]) == 4
    assert set(report["baseline"]) == {"chance", "majority_class", "mean_colour", "pixels", "random_encoder"}
    assert report["baseline"]["random_encoder"]["linear"] == report["eval"]["linear"]["top1"][0]
    assert 0 < report["baseline"]["pixels"]["transfer"]["digits"] <= 1
    assert sum(report["speed"]["loop_share"].values()) == pytest.approx(1)
    assert set(report["speed"]["loop_share"]) == {"world", "stream", "learner", "eval"}


def test_showing_what_is_no_run_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["show", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        show.main()
    assert left.value.code == 2
    assert capsys.readouterr().err == f"{tmp_path} is no run; give the folder of one, as in results/NAME\n"
    for seed in (0, 1):
        fake_run(tmp_path, seed=seed)
    with pytest.raises(SystemExit):
        show.main()
    assert (
        f"is a folder of 2 runs; give one of them, or set them beside one another: python -m runs.compare {tmp_path}"
        in (capsys.readouterr().err)
    )


def test_a_run_that_was_never_scored_is_shown(tmp_path, online, monkeypatch, capsys):
    online(*TINY, f"results_dir={tmp_path}", "run.name=one")
    monkeypatch.setattr(sys, "argv", ["show", str(tmp_path / "one")])
    show.main()
    assert "never scored" in capsys.readouterr().out


def test_a_sweep_begun_again_passes_over_what_has_ended_and_goes_on_with_the_rest(tmp_path, online, monkeypatch):
    overrides = ("experiment=plausible_vs_backprop", "learner=bp,dgl", "seed=0", *TINY, f"results_dir={tmp_path}")
    with monkeypatch.context() as patch:
        stopping(patch, 1)
        assert online(*overrides)[0] == 130
    place = tmp_path / "plausible_vs_backprop"
    assert [path.name for path in place.iterdir()] == ["bp-seed0"]
    assert online(*overrides)[0] == 0
    kept = {path: path.stat().st_mtime_ns for path in place.glob("*/checkpoints/*.pt")}
    assert {path.parts[-3] for path in kept} == {"bp-seed0", "dgl-seed0"}
    assert online(*overrides)[0] == 0
    assert kept == {path: path.stat().st_mtime_ns for path in place.glob("*/checkpoints/*.pt")}
    status, text = online(*overrides, "pairs.gap=1")
    assert status == 2
    assert "pairs.gap: 2 in the run, 1 asked for" in text


def test_a_run_that_is_stopped_at_once_says_how_it_goes_on(tmp_path, online, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Learner, "update", interrupted)
    status, text = online(*TINY, f"results_dir={tmp_path}", "run.name=one")
    command = f"python -m learners.online run.resume={tmp_path}/one"
    assert (status, text) == (130, f"stopped at once; go on from the last checkpoint with {command}\n")
    monkeypatch.setattr(commands, "check_same", interrupted)
    status, text = online(*TINY, f"results_dir={tmp_path}", "run.name=two")
    assert (status, text) == (130, "stopped at once; no run had begun to learn\n")


def test_a_failed_run_of_a_sweep_does_not_lose_the_others(tmp_path, online, monkeypatch):
    whole = Learner.update

    def update(self, pairs):
        if self.loss.settings.positive_margin == 2:
            raise RuntimeError("out of memory")
        return whole(self, pairs)

    monkeypatch.setattr(Learner, "update", update)
    overrides = (*TINY, f"results_dir={tmp_path}", "run.group=margins", "learner=bp", "loss.positive_margin=2,1")
    status, text = online("-m", *overrides)
    assert status == 2
    assert "out of memory" in text
    assert "failed: " in text
    assert text.count("\n") == 2  # and nothing of Hydra's
    assert summary(tmp_path / "margins" / "bp-positive_margin1-seed0")["frames"] == 32


def test_every_value_of_a_sweep_is_checked_before_its_first_run(tmp_path, online):
    status, text = online("-m", *TINY, f"results_dir={tmp_path}/results", "learner=bp,dgl,gle")
    assert status == 2
    assert "did you mean gll?" in text
    assert not (tmp_path / "results").exists()


def test_hydras_flags_take_their_values(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["online", "--cfg", "job", "env=counting", "seed=3"])
    with pytest.raises(SystemExit) as left:
        launch.launch(PROGRAM)
    assert not left.value.code
    assert "seed: 3" in capsys.readouterr().out


def test_what_to_try_next_is_the_same_run_by_another_rule(tmp_path, capsys):
    commands.start([*TINY, f"results_dir={tmp_path}", "learner=dgl", "learner.lr=1e-4", "run.name=a"], PROGRAM)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("learner=bp")]
    overrides = shlex.split(line)[3:-1]
    assert overrides == [*TINY, f"results_dir={tmp_path}"]


def suggested(capsys):
    """The overrides of the commands of the main job that are suggested at a run's end."""
    lines = capsys.readouterr().out.partition("try next:")[2].splitlines()
    return [shlex.split(line)[3:] for line in lines if "learners.online" in line]


def test_what_to_try_next_works_within_a_group_whose_runs_an_experiment_names(tmp_path, capsys):
    walk = tmp_path / "walk.zarr"
    world = gym.make_vec("Counting-v0", num_envs=8, size=16, episode_length=8)
    streams.write(world, walk, frames=8 * 24)
    of_runs = ["experiment=online_vs_batch", f"stream.path={walk}", "pairs=temporal", "pairs.gap=2", "seed=0"]
    small = [text for text in TINY if text.startswith(("network", "run", "eval", "device", "watch"))]
    commands.start_or_resume([*of_runs, *small, f"results_dir={tmp_path}"], varied=[], program=PROGRAM)
    (by_another,) = suggested(capsys)  # and no longer one: the recording has an end
    assert by_another[-2:] == ["learner=bp", "run.name=temporal-sequential-none-seed0-bp"]
    assert commands.start_or_resume(by_another, varied=[], program=PROGRAM) == 0
    assert len(list((tmp_path / "online_vs_batch").iterdir())) == 2


def test_what_to_try_next_records_nothing_twice_and_goes_on_to_more_frames(tmp_path, capsys):
    own = [f"results_dir={tmp_path}", "run.name=a", f"stream.record={tmp_path}/seen.zarr"]
    commands.start([*TINY, *own], PROGRAM)
    by_another, on = suggested(capsys)
    assert not any(text.startswith("stream.record") for text in by_another)
    assert on == [f"run.resume={tmp_path}/a", "run.frames=64"]
    commands.start([f"run.resume={tmp_path}/a", "run.frames=64"], PROGRAM)
    commands.start([f"run.resume={tmp_path}/a"], PROGRAM)  # whose settings still say 32
    assert suggested(capsys)[-1][-1] == "run.frames=128"
    commands.start([*TINY, f"results_dir={tmp_path}", "learner=gll", "run.name=b"], PROGRAM)
    assert len(suggested(capsys)) == 1  # a greedy schedule has shared out its updates


def test_a_run_that_was_stopped_is_shown_as_unfinished(tmp_path, online, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stopping(patch, 3)
        assert online(*SMALL, "eval.every=0", f"results_dir={tmp_path}", "run.name=one")[0] == 130
    path = str(tmp_path / "one")
    assert summary(tmp_path / "one")["complete"] is False
    monkeypatch.setattr(sys, "argv", ["show", path])
    show.main()
    shown = capsys.readouterr().out
    assert f"stopped at 40 of 176 frames; python -m learners.online run.resume={path} goes on" in shown
    assert online(f"run.resume={path}")[0] == 0
    assert summary(tmp_path / "one")["complete"] is True
    monkeypatch.setattr(sys, "argv", ["show", path])
    show.main()
    assert "stopped at" not in capsys.readouterr().out


def test_the_same_command_begins_a_run_goes_on_with_it_and_passes_it_over(tmp_path, online, monkeypatch):
    command = (*SMALL, "eval.every=0", f"results_dir={tmp_path}", "run.name=one", "run.resume=auto")
    with monkeypatch.context() as patch:
        stopping(patch, 3, signal.SIGUSR1)
        assert online(*command)[0] == 128 + signal.SIGUSR1
    assert summary(tmp_path / "one")["frames"] == 40
    assert online(*command)[0] == 0
    assert online(*SMALL, "eval.every=0", f"results_dir={tmp_path}", "run.name=whole")[0] == 0
    assert_same_run(outcome(tmp_path, "one"), outcome(tmp_path, "whole"))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}
    assert online(*command)[0] == 0
    assert kept == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}
    status, text = online(*command, "pairs.gap=1")
    assert status == 2
    assert "pairs.gap: 2 in the run, 1 asked for" in text


def test_the_same_command_begins_anew_where_it_was_killed_before_there_was_a_checkpoint(tmp_path, online):
    command = (*TINY, f"results_dir={tmp_path}", "run.name=one", "run.resume=auto")
    (tmp_path / "one" / "checkpoints").mkdir(parents=True)
    assert online(*command)[0] == 0
    for path in (tmp_path / "one" / "checkpoints").iterdir():
        path.unlink()
    assert online(*command)[0] == 0  # is complete
    assert "add run.name=NAME" in online(*TINY, f"results_dir={tmp_path}", "run.resume=auto")[1]
