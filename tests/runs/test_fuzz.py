"""Damage of every kind to every file of a run: it is named, or it changes no number that a command shows or uses.

500 cases, a quarter of them by each command; CONTIGUITY_FUZZ=2000 tries more.
"""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from envs.errors import SettingError
from learners.online import PROGRAM
from runs.analysis.comparison import compare
from runs.analysis.reading import find, load, load_numbers
from runs.analysis.summary import summed
from runs.config import composing
from runs.launch import start as commands
from runs.launch.program import Program
from runs.page.page import page
from runs.store.folder import flat
from runs.store.metrics import read
from tests.helpers.learners import same
from tests.helpers.online import SMALL
from tests.helpers.pristine import Pristine

CASES = int(os.environ.get("CONTIGUITY_FUZZ", "125"))  # by each of four commands
TINY = ["run.frames=48", "eval.ends=[knn]", "eval.samples=8", "network.name=tests.helpers.small_network.SPEC"]
NOT_READ = ("lock", "film_strip.png", "learning_curve.png")  # what a run writes and nothing reads
DAMAGES = ("flip", "cut", "exchange", "copy", "delete", "foreign", "zeros", "text")
TEXTS = (b"", b"{", b"[]", b"{}", b"null", b"\xff\xfe", b"- a\n- b\n", b"a: ${oc.env:HOME}\n", b"[" * 9000, b"1" * 9000)


composed = cache(lambda overrides: composing.read(list(overrides)))  # slow, and the same every time


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs that differ in their seed."""
    place = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        named = [f"results_dir={place}", f"run.name=seed{seed}", f"seed={seed}"]
        assert commands.start([*SMALL, *TINY, *named], PROGRAM) == 0
    return place


def damage(folder: Path, other: Path, data) -> str:
    """Harms one file of a run; what was done."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in NOT_READ]
    path = data.draw(st.sampled_from(files), label="file")
    kind, content = data.draw(st.sampled_from(DAMAGES), label="damage"), path.read_bytes()
    if kind == "flip":
        bit = data.draw(st.integers(0, 8 * len(content) - 1), label="bit")
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
    elif kind == "cut":
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1), label="bytes left")])
    elif kind in ("exchange", "copy"):
        alike = [file for file in files if file.name == path.name and file != path] or files
        second = data.draw(st.sampled_from(alike), label="with")
        path.write_bytes(second.read_bytes())
        if kind == "exchange":
            second.write_bytes(content)
    elif kind == "delete":
        path.unlink()
    elif kind == "foreign":
        theirs = [file for file in sorted(other.rglob(path.name)) if file.is_file()]
        path.write_bytes(data.draw(st.sampled_from(theirs)).read_bytes() if theirs else b"")
    else:
        path.write_bytes(bytes(len(content)) if kind == "zeros" else data.draw(st.sampled_from(TEXTS), label="text"))
    return f"{kind} {path.relative_to(folder)}"


def shown(folder, _):
    run = load_numbers(folder)
    return json.dumps(summed(run)), run.notes


def reported(folder, _):
    text, notes = page([load(path) for path in find([str(folder)])], made_by="")
    return text, notes


def compared(folder, other):
    both = [load(path) for path in find([str(folder), str(other)])]
    return json.dumps(compare(both).as_json()), [note for run in both for note in run.notes]


def resumed(folder, _):
    """What a run goes on with: its settings, its state and its numbers."""
    with pytest.MonkeyPatch.context() as patch:
        kept, notes = [], []
        patch.setattr(commands, "say", notes.extend)
        patch.setattr(Program, "read", lambda _, overrides: composed(tuple(overrides)).copy())
        patch.setattr(commands, "_evaluation", lambda _: None)  # of the world, and not of the folder
        patch.setattr(commands, "_follow", lambda run, _, folder, *rest: kept.append(run) or 0)
        network = next(text for text in TINY if text.startswith("network"))
        commands.start([f"run.resume={folder}", network, "device=cpu"], PROGRAM)
    (run,) = kept
    return (flat(run.settings), run.state_dict(), read(folder / "metrics.zarr")), notes


def alike(a, b):
    """Whether two nested results hold the same numbers."""
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=True)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return same(a, b)


@pytest.mark.parametrize("use", [shown, reported, compared, resumed])
def test_what_is_damaged_is_named_or_harmless(runs, tmp_path_factory, use):
    place, other = tmp_path_factory.mktemp("harmed") / "seed0", runs / "seed1"

    fresh = Pristine(runs / "seed0", place).restore

    def outcome():
        """What a command makes of the run and notes on it, or the one line that it ends with."""
        try:
            return use(place, other)
        except SettingError as error:
            return None, [str(error)]

    fresh()
    sound, notes = use(place, other)
    assert not notes

    @settings(
        max_examples=CASES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def try_one(data):
        fresh()
        what = damage(place, other, data)
        result, notes = outcome()
        assert all(str(place) in note and "\n" not in note for note in notes), (what, notes)
        assert notes or alike(result, sound), what

    try_one()
