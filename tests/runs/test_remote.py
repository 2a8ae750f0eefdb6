"""Runs that were copied to a bucket are shown, compared and reported as those on the disk."""

import json
import sys

import pytest

from runs import compare, report, show
from streams.recording.storage import open_folder
from tests.helpers.online import run
from tests.helpers.s3 import bucket


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder of two runs, and the URL of its copy on a server of our own."""
    folder = tmp_path_factory.mktemp("results")
    for name, learner in (("one", "bp"), ("two", "dgl")):
        settings = [f"learner={learner}", "run.frames=64", "eval.every=32", "eval.transfer=[]", "eval.ends=[]"]
        assert run(folder, name, *settings) == 0
    with bucket("results"):
        open_folder("s3://results").fs.put(f"{folder}/", "results/all/", recursive=True)
        yield folder, "s3://results/all"


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs one of the commands: (status, stdout, stderr)."""

    def call(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        try:
            module.main()
            status = 0
        except SystemExit as left:
            status = left.code
        return status, *capsys.readouterr()

    return call


def test_a_run_there_is_shown_as_here(results, command):
    folder, url = results
    assert command(show, f"{url}/one", "--json") == command(show, folder / "one", "--json")


@pytest.mark.parametrize("pattern", ["", "/", "/*"])
def test_runs_there_are_compared_as_here_and_called_by_their_urls(results, command, pattern):
    folder, url = results
    here, there = command(compare, folder, "--json"), command(compare, url + pattern, "--json")
    assert there == (0, here[1].replace(str(folder), url), "")
    seeds = [row["seeds"][0]["run"] for row in json.loads(there[1])["tasks"]["linear"]["groups"]]
    assert sorted(seeds) == [f"{url}/one", f"{url}/two"]


def test_a_page_of_runs_there_shows_their_pictures_and_filters_and_is_written_here(
    results, command, tmp_path, monkeypatch
):
    _, url = results
    monkeypatch.chdir(tmp_path)
    assert command(report, url) == (0, "report.html\n", "")
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") >= 3
    assert url in page
    assert "/runs" not in page.replace("python -m runs", "")


def test_what_is_not_there_is_one_line_that_names_the_url(results, command):
    _, url = results
    status, _, err = command(compare, f"{url}/three")
    assert (status, err) == (
        2,
        f"{url}/three holds no run; give the folder of one, or one that has some, as in results/NAME\n",
    )
    status, _, err = command(show, "s3://nobody/one")
    assert (status, err.count("\n")) == (2, 1)
    assert "s3://nobody/one" in err
    status, _, err = command(show, "nope://a/b")
    assert (status, err.count("\n")) == (2, 1)
    assert "nope://a/b can't be reached" in err


def test_a_name_in_a_bucket_leads_out_of_no_folder():
    from runs.store.mirror import Mirror

    names = [
        "one/metrics.zarr/zarr.json",
        "one/metrics.zarr/../../../x/versions.json",
        "/versions.json",
        "one/other.bin",
    ]
    assert Mirror()._wanted(names) == names[:1]


def test_runs_are_not_written_to_a_bucket(online):
    status, text = online("env=counting", "pairs.gap=2", "results_dir=s3://bucket/results")
    assert (status, text.count("\n")) == (2, 1)
    assert "runs are written to folders" in text
