"""What misled a person who tried the project for the first time, each with what is said now."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import gymnasium as gym
import pytest

import learners
import streams
from envs.command import startup_errors
from envs.errors import SettingError, no_such
from learners.networks.network import Network
from learners.online import PROGRAM
from runs.launch.start import start
from tests.helpers.online import SMALL

ROOT = Path(__file__).parents[1]
TINY = ["run.frames=48", "eval.probes=[linear]", "eval.ends=[]", "eval.transfer=[]"]


def test_a_network_with_heads_nowhere_is_refused():
    with pytest.raises(SettingError, match="heads=nonsense is unknown"):
        Network("conv4", size=16, feedback="backprop", heads="nonsense", seed=0)


def test_a_near_miss_is_near():
    known = ["learner.name", "learner.momentum"]
    assert "did you mean" not in str(no_such("learner.sigma", known))
    assert "did you mean learner.momentum?" in str(no_such("learner.momentun", known))


def test_settings_with_dashes_are_one_line():
    command = [sys.executable, "-m", "learners.online", "--learner=bp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "--learner=bp is no setting; they are written without dashes, as in learner=bp\n"


def test_a_missing_environment_is_one_line(capsys):
    error = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    startup_errors.one_line(type(error), error, None)
    err = capsys.readouterr().err
    assert err.startswith("torch.nn is not installed for ")
    assert "source .venv/bin/activate" in err
    assert err.count("\n") == 1


def test_an_import_without_arguments_says_what_is_missing():
    command = [sys.executable, "-m", "streams.importing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "source is not given; write source=PICTURES path=NEW.zarr\n")


def test_runs_with_another_loss_or_network_have_another_name(tmp_path):
    where = [*SMALL, *TINY, f"results_dir={tmp_path}"]
    assert start([*where, "loss=ntxent", "pairs=temporal"], PROGRAM) == 0
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("counting-dgl-none-conv4-ntxent-temporal-seed0-")


def test_a_complete_run_that_is_resumed_says_so_and_where_to_score_it_on_other_data(tmp_path, capsys):
    assert start([*SMALL, *TINY, f"results_dir={tmp_path}", "run.name=one"], PROGRAM) == 0
    capsys.readouterr()
    assert start([f"run.resume={tmp_path}/one"], PROGRAM) == 0
    assert "it is complete: 48 frames; a larger run.frames goes on" in capsys.readouterr().out
    with pytest.raises(SettingError, match=r"eval.transfer: \[\] in the run, \['digits'\] asked for \(.*runs.score"):
        start([f"run.resume={tmp_path}/one", "eval.transfer=[digits]"], PROGRAM)


def test_a_table_says_on_how_many_images_of_how_many_classes(tmp_path, capsys):
    assert start([*SMALL, *TINY, f"results_dir={tmp_path}", "run.name=one"], PROGRAM) == 0
    assert "scored on: test instances 40 images of 4 classes" in capsys.readouterr().out


def test_one_world_gives_pairs_one_by_one_to_a_loop_of_ones_own():
    world = gym.make_vec("Counting-v0", num_envs=1, size=8)
    assert [len(each.first) for each in islice(streams.pairs(world, gap=2), 3)] == [1, 1, 1]


def test_a_recording_of_no_frames_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(SettingError, match="frames=-10 records nothing"):
        streams.write(gym.make_vec("Counting-v0", num_envs=2, size=8), tmp_path / "walk.zarr", frames=-10)
    assert not any(tmp_path.iterdir())


def test_a_loss_of_ones_own_without_an_episode_is_told_to_take_one():
    with pytest.raises(SettingError, match=r"near takes no episode; write def near\(u, v, \*, episode\)"):
        learners.make("bp", loss=near_without_episode(), size=16)


def near_without_episode():
    def near(u, v):
        return (u - v).square().mean()

    return near


def test_blocks_that_are_no_lists_of_layers_are_refused():
    with pytest.raises(SettingError, match=r"network.blocks: 3 is no block; write a list of layers"):
        learners.make("bp", settings={"network.blocks": [3]}, size=16)
