"""`--help` and `--list` say what there is to choose, at once, and every choice and setting has its line."""

import os
import subprocess
import sys
from importlib.resources import files

import pytest

from envs.command.help import settings_of
from envs.errors import SettingError
from learners.run import SCHEMAS
from runs.config import composing
from runs.config.choices import GROUPS, choices, line_of
from runs.config.help import help_text, list_text
from streams.pairing.memory import BufferSettings


def test_help_names_every_group_and_choice_and_imports_nothing_slow():
    code = (
        "import sys, runpy; sys.argv = ['x', '--help']\ntry: runpy.run_module('learners.online', run_name='__main__')\n"
    )
    code += "except SystemExit: sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for group in GROUPS:
        assert f"  {group}" in done.stdout
    for name in choices()["learner"]:
        assert name in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--list"], ["--list", "loss=hinge"]])
def test_help_whose_reader_has_gone_ends_without_a_word(arguments):
    """As with `| head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "learners.online", *arguments]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_list_of_a_group_has_a_line_for_each_choice():
    lines = list_text("memory").splitlines()
    assert [line.split()[0] for line in lines] == [f"memory={name}" for name in choices()["memory"]]
    assert "algorithm R" in list_text("memory")


def test_every_choice_says_what_it_is():
    for group in GROUPS:
        for name in choices()[group]:
            assert line_of(group, name), f"{group}={name}: give runs/conf/{group}/{name}.yaml a first line of comment"


def test_the_list_of_a_choice_has_its_settings_as_they_are():
    composing.register(SCHEMAS)
    text = list_text("memory=minred")
    assert "memory.updates=4  (int)" in text
    assert "memory.capacity=4096  (int) frames" in text
    assert "eval.every=16384  (int) frames between two evaluations" in list_text("eval")


def test_what_is_none_is_said_with_the_nearest():
    with pytest.raises(SettingError, match="--list=leaner is unknown; did you mean learner"):
        list_text("leaner")
    with pytest.raises(SettingError, match="memory=fifa is unknown; did you mean fifo"):
        list_text("memory=fifa")


def test_a_setting_is_described_by_the_class_that_wrote_it_last():
    (capacity,) = [one for one in settings_of(BufferSettings) if one.name == "capacity"]
    assert (capacity.type, capacity.default) == ("int", "4096")
    assert capacity.help.startswith("frames; a pair")
    assert [one.name for one in settings_of(BufferSettings)] == ["name", "updates", "capacity", "batch"]


def test_every_yaml_is_listed():
    there = {path.name.removesuffix(".yaml") for path in files("runs.conf").joinpath("loss").iterdir()}
    assert {*choices()["loss"]} == there
    assert "watch" in help_text("x")


@pytest.mark.parametrize("module", ["streams.record", "streams.importing", "streams.check"])
def test_other_commands_list_their_settings_with_type_and_default(module):
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert "settings:" in done.stdout
    assert "(str)" in done.stdout


def test_a_replay_whose_recording_is_not_given_has_its_settings_shown_too():
    text = list_text("stream=replay")
    assert "stream.order=sequential" in text
    assert "stream.repeat=false" in text


def test_an_experiment_is_shown_as_it_is_written():
    assert "frames: 262_144" in list_text("experiment=hour")


def test_a_group_without_choices_says_so():
    with pytest.raises(SettingError, match="--list eval=linear: eval has no choices; --list eval shows"):
        list_text("eval=linear")


def test_a_setting_alone_is_listed_with_its_type_default_and_line_of_help():
    composing.register(SCHEMAS)
    assert list_text("run.frames") == "  run.frames=32768  (int) world frames to learn from"
    assert list_text("seed").startswith("  seed=0  (int) of the weights")
    assert list_text("learner.lr", ["learner=softhebb"]) != list_text("learner.lr")
    assert list_text("stream.order").endswith("a setting of stream=replay alone")
    with pytest.raises(SettingError, match=r"run.frame is no setting; did you mean run.frames"):
        list_text("run.frame")


def test_choices_of_ones_own_are_listed_from_their_folder(tmp_path):
    composing.register(SCHEMAS)
    folder = tmp_path / "loss"
    folder.mkdir()
    (folder / "mine.yaml").write_text("# as I like it\ndefaults: [hinge_schema, _self_]\npositive_margin: 7.0\n")
    given = [f"hydra.searchpath=[file://{tmp_path}]"]
    assert "mine" in list_text(picks=given)
    assert f"  loss={'mine':24} as I like it" in list_text("loss", given)
    assert "loss.positive_margin=7.0" in list_text("loss=mine", given)
    assert "mine" not in list_text("loss")
    command = [sys.executable, "-m", "learners.online", "--list", "loss", *given]
    assert "as I like it" in subprocess.run(command, capture_output=True, text=True, check=False).stdout
    with pytest.raises(SettingError, match=r"hydra.searchpath=\[/nowhere\] is no folder"):
        list_text("loss", ["hydra.searchpath=[file:///nowhere]"])
