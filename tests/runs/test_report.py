"""A report is one page that opens from disk, shows what is there, and says nothing that the runs do not hold."""

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from runs import report
from runs.analysis.reading import load
from runs.page.sections.tables import every_score
from runs.store.metrics import read
from tests.helpers.runs import fake_run, furnished

LEARNERS = ("bp", "dgl", "none")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
ALONE = ("--disable-background-networking", "--disable-component-update", "--disable-sync")


@pytest.fixture
def say(monkeypatch, capsys):
    """Runs the command in this process: (status, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["report", *map(str, arguments)])
        status = 0
        try:
            report.main()
        except SystemExit as left:
            status = left.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return furnished(fake_run(tmp_path_factory.mktemp("one"), seed=3))


@pytest.fixture
def page(run, say):
    status, printed, _ = say(run)
    assert (status, printed.strip()) == (0, str(run / "report.html"))
    return (run / "report.html").read_text()


class Cells(HTMLParser):
    """The texts of a page's table cells."""

    def __init__(self, text):
        super().__init__()
        self.texts, self._inside = [], False
        self.feed(text)

    def handle_starttag(self, tag, _):
        self._inside = tag == "td"

    def handle_data(self, data):
        if self._inside:
            self.texts.append(data)
        self._inside = False


def test_a_page_needs_nothing_but_itself(page):
    places = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"|url\(([^)]*)\)', page)
    assert places
    assert all(place.startswith("data:") or place == "${map.atlas}" for pair in places for place in pair if place)
    assert "http" not in re.sub("data:[^\"']*", "", page)


def test_a_page_shows_all_that_was_measured(page):
    for title in (
        "What it saw", "What it learned", "Every score", "Block by block", "What the code keeps", "A map of the code",
        "Inside the network", "Mean distance of a pair", "Mean distance of embeddings of different episodes",
        "To repeat it",
    ):  # fmt: skip
        assert title in page
    assert "python -m learners.online learner=bp seed=3" in page
    assert "4 steps from frame to frame" in page
    assert "2 or 4 steps apart" in page
    assert "torch" in page


def test_what_was_not_measured_is_left_out(tmp_path, say):
    assert say(fake_run(tmp_path))[0] == 0
    text = (tmp_path / "bp-seed0" / "report.html").read_text()
    assert "What it learned" in text
    for title in ("What it saw", "Block by block", "What the code keeps", "A map", "Inside the network", "First-layer"):
        assert title not in text


def test_every_number_of_its_table_is_in_the_metrics(run, page):
    numbers = [float(cell) for cell in Cells(page).texts if re.fullmatch(r"-?\d+\.\d+", cell)]
    _, series = read(run / "metrics.zarr")
    kept = np.concatenate([values for group in series.values() for values in group.values()])
    assert len(numbers) == 32
    assert "fine-tuned: digits" in page
    for number in numbers:
        assert min(np.abs(kept - number).min(), np.abs(100 * kept - number).min()) < 0.051


def test_an_interrupted_run_shows_test_images_in_place_of_the_film_strip(tmp_path, say):
    path = furnished(fake_run(tmp_path), ended=False)
    assert say(path)[0] == 0
    text = (path / "report.html").read_text()
    assert "What it saw" not in text
    assert "16 of the test images" in text


def test_several_runs_are_compared_on_their_page(tmp_path, say):
    for seed in (0, 1):
        fake_run(tmp_path, learner="bp", seed=seed)
        fake_run(tmp_path, learner="rf", seed=seed, gain=0.1)
    assert say(tmp_path)[1].strip() == str(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Groups beside one another" in text
    assert "-10.0 [-10.0, -10.0]" in text
    assert 'class="band' in text


def test_runs_that_cannot_be_set_beside_one_another_say_why(tmp_path, say):
    fake_run(tmp_path, seed=0)
    fake_run(tmp_path, seed=1, eval__test=17)
    assert say(tmp_path)[0] == 0
    assert "Not set beside one another: eval.test is" in (tmp_path / "report.html").read_text()


def test_a_half_done_run_is_shown_up_to_its_last_commit(tmp_path, say):
    assert say(fake_run(tmp_path, frames=(0, 64)))[0] == 0
    assert "is at 64 of 128 frames" in (tmp_path / "bp-seed0" / "report.html").read_text()


def test_runs_of_a_sweep_that_goes_on_are_compared_where_they_have_ended(tmp_path, say):
    for seed in (0, 1):
        fake_run(tmp_path, learner="bp", seed=seed)
        fake_run(tmp_path, learner="rf", seed=seed, gain=0.1)
    fake_run(tmp_path, learner="rf", seed=2, frames=(0,))
    assert say(tmp_path)[0] == 0
    text = (tmp_path / "report.html").read_text()
    assert "-10.0 [-10.0, -10.0]" in text
    assert "Linear probe" in text
    assert "rf-seed2 is at 0 of 128 frames" in text


def test_the_folder_of_a_page_is_made_and_what_cannot_be_written_is_one_line(tmp_path, run, say):
    assert say(run, "--out", tmp_path / "new" / "page.html")[1].strip() == str(tmp_path / "new" / "page.html")
    status, out, text = say(run, "--out", tmp_path / "new" / "page.html" / "page.html")
    assert (status, out) == (2, "")
    assert "choose another --out" in text
    assert "Errno" not in text


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_a_browser_draws_the_map_and_nothing_sticks_out_of_a_phone(tmp_path, page):
    dom, (shown, wide) = opened(tmp_path, page, "[innerWidth, document.documentElement.scrollWidth]")
    assert dom.count("<i ") == 24
    assert "128 frames</output>" in dom
    assert wide <= shown


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_in_the_dark_a_page_is_dark_and_its_map_follows_the_slider(tmp_path, page):
    ask = """(() => {
        const slider = document.querySelector(".slider input"), output = document.querySelector(".slider output");
        const points = [...document.querySelectorAll(".map i")];
        const now = () => [output.textContent, ...points.map(point => point.style.left)];
        const move = to => { slider.value = to; slider.dispatchEvent(new Event("input")); return now(); };
        const style = name => getComputedStyle(document.querySelector(name));
        return {last: now(), first: move(0), again: move(slider.max), page: style("body").backgroundColor,
                ink: style("body").color, line: style(".line").stroke, text: style(".chart text").fill};
    })()"""
    _, shown = opened(tmp_path, page, ask, "--blink-settings=preferredColorScheme=0")
    assert shown["last"] == shown["again"]
    assert (shown["first"][0], shown["last"][0]) == ("0 frames", "128 frames")
    assert sum(a != b for a, b in zip(shown["first"], shown["last"], strict=True)) > 20
    assert light(shown["page"]) < 0.1
    assert all(light(shown[what]) > 0.3 for what in ("ink", "line", "text"))


def opened(folder, page, ask, *flags):
    """The page as a browser has it, and what an expression comes to there."""
    (folder / "page.html").write_text(f"{page}<script>document.title = JSON.stringify({ask})</script>")
    command = [CHROMIUM, *QUIET, *ALONE, *flags, f"--user-data-dir={folder}/profile", "--window-size=500,900"]
    done = subprocess.run(
        [*command, "--dump-dom", f"file://{folder}/page.html"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(unescape(re.search("<title>(.*?)</title>", done.stdout).group(1)))


def light(colour):
    """How light `rgb(...)` is, from 0 to 1."""
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765


def test_every_row_of_the_scores_is_as_long_as_its_head(tmp_path):
    section = every_score(load(furnished(fake_run(tmp_path))))
    assert section["head"][:4] == ["", "", "last", "first"]  # of a row: its label, its unit
    assert {len(row) for row in section["rows"]} == {len(section["head"])}


def test_of_many_groups_the_first_are_shown_one_by_one_and_all_beside_one_another(tmp_path, say, monkeypatch):
    monkeypatch.setattr("runs.page.page.MOST", 2)
    runs = [furnished(fake_run(tmp_path / "many", learner=name, seed=seed)) for name in LEARNERS for seed in (0, 1)]
    status, _, err = say(tmp_path / "many", "--out", tmp_path / "page.html")
    assert (status, err) == (0, "the first 2 of 3 groups are shown one by one; name fewer runs to see others\n")
    text = (tmp_path / "page.html").read_text()
    assert [f"{name}: {name}-seed0" in text for name in LEARNERS] == [True, True, False]
    monkeypatch.setattr("runs.page.page.MOST", 16)
    assert say(tmp_path / "many", "--out", tmp_path / "whole.html")[0] == 0
    alone = [line for line in (tmp_path / "whole.html").read_text().splitlines() if "<svg" in line]
    shown = [line for line in text.splitlines() if "<svg" in line]
    assert len(runs) == 6
    assert set(shown) <= set(alone)  # what was not read is not missed
