import csv
import io
import json
import sys

import pytest

from envs.errors import SettingError
from runs import compare
from runs.analysis import comparison
from runs.analysis.reading import load
from tests.helpers.runs import fake_run, furnished


@pytest.fixture
def say(monkeypatch, capsys):
    """Runs the command in this process: (status, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["compare", *map(str, arguments)])
        status = 0
        try:
            compare.main()
        except SystemExit as left:
            status = left.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    place = tmp_path_factory.mktemp("sweep")
    for seed in range(3):
        fake_run(place, learner="bp", seed=seed, gain=0.2 + 0.01 * seed, random=0.3 + 0.02 * seed)
        fake_run(place, learner="rf", seed=seed, gain=0.1 + 0.01 * seed, random=0.3 + 0.02 * seed)
    return place


def test_a_sweep_is_one_table_with_every_seed_beside_the_random_encoder(sweep, say, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    status, text, _ = say(sweep)
    assert status == 0
    assert "linear: top-1, %, at 128 frames, 8 updates" in text
    assert "50.0 53.0 56.0" in text
    assert "+21.0 [+20.0, +22.0]" in text
    assert "random encoder 32.0, raw pixels 20.0, mean colour 15.0, majority class 10.0, chance 5.0" in text


def test_the_json_holds_paired_differences_best_group_first(sweep, say):
    compared = json.loads(say(sweep, "--json")[1])
    assert compared["against"] == "bp"
    bp, rf = compared["tasks"]["linear"]["groups"]
    assert (bp["group"], bp["difference"], rf["group"]) == ("bp", None, "rf")
    assert [seed["seed"] for seed in bp["seeds"]] == [0, 1, 2]
    assert [seed["score"] for seed in bp["seeds"]] == pytest.approx([0.5, 0.53, 0.56])
    assert rf["difference"] == {key: pytest.approx(-0.1) for key in ("mean", "low", "high")} | {"paired": True}
    assert bp["gain"]["mean"] == pytest.approx(0.21)
    assert compared["tasks"].keys() == {"linear", "transfer/digits"}


def test_the_csv_has_a_line_for_every_task_group_and_seed(sweep, say):
    lines = list(csv.DictReader(io.StringIO(say(sweep, "--csv")[1])))
    assert len(lines) == 2 * 2 * 3
    assert float(lines[0]["score"]) == pytest.approx(0.5)


def test_fine_tuning_is_set_beside_the_probe_where_all_runs_have_come_as_far(tmp_path, say):
    one, other = furnished(fake_run(tmp_path, seed=0)), furnished(fake_run(tmp_path, learner="rf", seed=0))
    compared = json.loads(say(one, other, "--json", "--figure", tmp_path / "a.png")[1])["tasks"]
    assert list(compared) == ["linear", "transfer/digits", "finetune/linear", "finetune/transfer/digits"]
    (group, _) = compared["finetune/transfer/digits"]["groups"]
    assert group["gain"]["mean"] == pytest.approx(0.25)  # over what a random encoder comes to, trained from scratch
    assert list(json.loads(say(one, other, "--json", "--at", "64")[1])["tasks"]) == ["linear", "transfer/digits"]
    status, _, text = say(one, other, "--at", "64", "--task", "finetune/*")
    assert status == 2
    assert "not all runs were scored on finetune/linear then" in text
    plain = fake_run(tmp_path / "plain", seed=1)
    assert list(json.loads(say(one, plain, "--json")[1])["tasks"]) == ["linear", "transfer/digits"]


def test_the_latex_is_a_table(sweep, say):
    text = say(sweep, "--latex", "--at", "64", "--task", "linear")[1]
    assert text.startswith("\\begin{tabular}{lr}\n")
    assert "bp & 42.5 [40.0, 45.0] \\\\" in text
    assert "random encoder & 32.0" in text


def test_what_has_a_meaning_in_latex_is_printed_as_it_is(tmp_path, say):
    for path in ("~/a_1", "~/b{2}"):
        fake_run(tmp_path / path[-2], stream__path=path)
    text = say(tmp_path, "--latex", "--task", "linear")[1]
    assert r"path=\textasciitilde{}/a\_1 & 50.0" in text
    assert r"path=\textasciitilde{}/b\{2\} & 50.0" in text


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_figure_repeats_itself_to_the_byte(sweep, say, tmp_path, kind, begins):
    files = [tmp_path / f"{name}.{kind}" for name in "ab"]
    for file in files:
        assert say(sweep, "--figure", file)[0] == 0
    a, b = (file.read_bytes() for file in files)
    assert a.startswith(begins)
    assert a == b


def test_the_folder_of_a_figure_is_made_and_what_cannot_be_written_is_one_line(sweep, say, tmp_path):
    assert say(sweep, "--figure", tmp_path / "new" / "a.png")[0] == 0
    assert (tmp_path / "new" / "a.png").exists()
    status, _, text = say(sweep, "--figure", tmp_path / "new" / "a.png" / "b.png")
    assert status == 2
    assert "choose another --figure" in text
    assert "Errno" not in text
    assert text.count("\n") == 1


def test_one_seed_alone_has_no_interval_and_that_is_said(tmp_path, say):
    status, text, _ = say(fake_run(tmp_path))
    assert status == 0
    assert "one seed alone has none" in text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--against", "dgl"], "--against=dgl is unknown"),
        (["--task", "lin"], "none was ever scored on lin; name what they have with --task"),
        (["--figure", "a.jpg"], "--figure a.jpg is none of .png, .pdf, .svg"),
        (["--at", "1"], "try --at 128"),
    ],
)
def test_a_mistake_is_one_line(sweep, say, arguments, line):
    status, _, text = say(sweep, *arguments)
    assert status == 2
    assert line in text
    assert text.count("\n") == 1


def test_runs_that_were_never_scored_are_named_and_where_all_are_the_cause_is_said(tmp_path):
    runs = [load(fake_run(tmp_path, seed=seed, eval__every=0)) for seed in range(3)]
    unscored = [run._replace(scores={}) for run in runs]
    with pytest.raises(SettingError, match=r"^of 3 runs none was ever scored on .*, by eval.every=0; begin runs with"):
        comparison.compare(unscored)
    with pytest.raises(SettingError, match=r"bp-seed0, .*bp-seed1 were never scored on .*; leave them out"):
        comparison.compare([*unscored[:2], runs[2]])
    with pytest.raises(SettingError, match=r"bp-seed0 was never scored on .*; leave it out"):
        comparison.compare([unscored[0], *runs[1:]])
