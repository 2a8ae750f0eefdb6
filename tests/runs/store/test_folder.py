import json
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from envs.errors import SettingError
from runs.store.folder import RunFolder, differences

SETTINGS = OmegaConf.create({"seed": 1, "learner": {"name": "bp", "lr": 0.001}})


def test_a_run_keeps_its_settings_its_command_line_and_its_versions(tmp_path):
    with RunFolder.create(tmp_path, "one", SETTINGS, ["seed=1"]) as folder:
        assert folder.settings == SETTINGS
        assert folder.overrides == ["seed=1"]
        assert json.loads((folder.path / "versions.json").read_text())["torch"]


def test_a_used_folder_is_refused_with_the_way_to_resume(tmp_path):
    RunFolder.create(tmp_path, "one", SETTINGS, []).__exit__()
    with pytest.raises(SettingError, match="run.name=one is used.*run.resume="):
        RunFolder.create(tmp_path, "one", SETTINGS, [])


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "/abs"])
def test_a_name_is_a_plain_folder_name(tmp_path, name):
    with pytest.raises(SettingError, match="run.name"):
        RunFolder.create(tmp_path, name, SETTINGS, [])


def test_a_second_writer_is_refused_until_the_first_lets_go(tmp_path):
    with (
        RunFolder.create(tmp_path, "one", SETTINGS, []) as folder,
        pytest.raises(SettingError, match="another process"),
    ):
        RunFolder.open(folder.path)
    RunFolder.open(folder.path).__exit__()


def test_a_killed_writer_has_let_go(tmp_path):
    RunFolder.create(tmp_path, "one", SETTINGS, []).__exit__()
    code = (
        "import os, sys, pathlib; from runs.store.folder import RunFolder; "
        "held = RunFolder.open(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "one")], check=False).returncode == -9
    RunFolder.open(tmp_path / "one").__exit__()


def test_what_is_no_run_cannot_be_resumed(tmp_path):
    with pytest.raises(SettingError, match="run.resume="):
        RunFolder.open(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingError, match="results_dir="):
        RunFolder.create(tmp_path / "file", "one", SETTINGS, [])


def test_differences_are_listed_by_name():
    asked = OmegaConf.create({"seed": 2, "learner": {"name": "bp", "lr": 0.002}, "new": 1})
    assert differences(SETTINGS, asked, ignore=["seed"]) == [
        "learner.lr: 0.001 in the run, 0.002 asked for",
        "new: absent in the run, 1 asked for",
    ]
