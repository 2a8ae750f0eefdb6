"""A path is taken as it is given, whatever letters it has, and an empty one is refused."""

import os
import random

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from envs.errors import SettingError
from runs.config.composing import read
from runs.config.paths import as_given, quoted

ODD = [
    "a b",
    "a=b",
    "a,b",
    "a&b",
    "a#b",
    "it's",
    "[a]",
    "{a}",
    "a(b)",
    "数据",
    "é",
    'say "x"',
    "a\\b",
    "$HOME",
    "1e3",
    "true",
]


@pytest.mark.parametrize("name", ODD)
def test_a_path_of_any_letters_is_taken_as_it_is(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkdir(name)  # noqa: PTH102
    assert read([f"results_dir={name}"]).results_dir == name
    assert read([f"results_dir={tmp_path / name}"]).results_dir == str(tmp_path / name)


@pytest.mark.parametrize("name", [name for name in ODD if name[0] not in "[{"])
def test_a_path_that_is_not_there_yet_is_taken_too(name):
    assert read([f"results_dir=new/{name}"]).results_dir == f"new/{name}"


def test_the_home_folder_has_its_short_name(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read(["results_dir=~/runs"]).results_dir == f"{tmp_path}/runs"


@pytest.mark.parametrize("setting", ["run.resume=", "stream.record=", "results_dir=''", "env.background_path= "])
def test_an_empty_path_is_refused(setting):
    with pytest.raises(SettingError, match="is empty; give a path, or leave it out"):
        read([setting])


def test_a_list_a_sweep_and_what_is_quoted_already_stay(tmp_path):
    for override in ("stream.path=[a,b]", "stream.path='a b'", "loss.negatives=1,2", "+x=1", "learner=bp"):
        assert as_given(override) == override
    assert as_given("stream.path=a,b", is_sweep=True) == "stream.path=a,b"
    (tmp_path / "a,b").mkdir()
    assert as_given(f"stream.path={tmp_path}/a,b", is_sweep=True) == f"stream.path='{tmp_path}/a,b'"


def test_what_is_quoted_means_itself_to_hydra():
    draws = random.Random(0)
    for _ in range(500):
        text = "".join(draws.choice("a'\"\\ ,=&#[]{}()$é漢~:%;*?|<>!`\t") for _ in range(draws.randint(1, 8)))
        assert OverridesParser.create().parse_override(f"key={quoted(text)}").value() == text
