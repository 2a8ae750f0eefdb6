"""What the documentation shows is true: its Python runs, its commands compose, its links and public names are there."""

import ast
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from learners.online import PROGRAM
from runs.config import composing

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


def blocks(language):
    return [
        pytest.param(text, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text()))
        if kind == language
    ]


def commands():
    lines = [line for block in blocks("console") for line in block.values[0].splitlines()]
    return list(dict.fromkeys(line.partition("  #")[0].strip() for line in lines))


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_the_pages_runs(tmp_path, code):
    ast.parse(code)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("python -m")])
def test_commands_in_the_pages_are_there_and_their_settings_compose(command):
    _, _, module, *arguments = shlex.split(command)
    assert find_spec(module)
    overrides = [text for text in arguments if "=" in text and not text.startswith("run.resume")]
    if module != "learners.online" or "--help" in arguments or "--list" in arguments or "stream=replay" in arguments:
        return
    swept = composing.sweep(overrides)
    for each in composing.one_at_a_time(swept.values) if "-m" in arguments else [overrides]:
        PROGRAM.check(PROGRAM.read(each))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    made = {"reference/api.md", "reference/settings.md"}  # when the site is built
    for target in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve()
        assert path.exists() or str(path.relative_to(ROOT / "docs")) in made, target


def test_every_command_of_make_in_the_readme_is_there():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {line.split()[1] for line in commands() if line.startswith("make ")} <= {*targets}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def words_module():
    spec = spec_from_file_location("docs_words", ROOT / "docs" / "words.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_word_leads_to_the_glossary_where_it_is_first_used_and_never_in_code():
    html = "<h2>Episodes</h2><p><code>episode</code> Two episodes, one <a href='x'>gain</a>, a gain. An episode.</p>"
    shown = words_module().linked(html, to="../glossary/", known={"episode": "word-episode", "gain": "word-gain"})
    assert shown.count('class="word"') == 2
    assert 'Two <a class="word" href="../glossary/#word-episode">episodes</a>' in shown
    assert 'a <a class="word" href="../glossary/#word-gain">gain</a>. An episode.' in shown
    assert "<h2>Episodes</h2><p><code>episode</code>" in shown


def test_the_glossary_has_the_words_that_tables_and_help_use():
    used = (
        "episode", "gain", "chance", "strength", "block", "head", "factor", "row", "turn", "gap", "stagger", "violator",
        "anchor", "update", "frame", "step", "reservoir",
    )  # fmt: skip
    assert not [word for word in used if word not in words_module().words()]
