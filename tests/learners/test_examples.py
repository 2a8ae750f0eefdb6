"""What a user adds is one file and one YAML: the examples are run as their docstrings say."""

from pathlib import Path

import pytest
import torch

from envs.errors import SettingError
from learners.online import PROGRAM
from learners.run import learner_of
from runs.analysis.reading import load
from runs.config.composing import read
from runs.launch.start import start
from runs.launch.validate import check
from runs.page.page import page
from streams.record import record
from tests.helpers.learners import batches, built, weights
from tests.helpers.online import SMALL

ROOT = Path(__file__).parents[2]
OWN = [f"hydra.searchpath=[{ROOT}/examples/conf]"]


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


def test_a_world_and_a_probe_of_ones_own_learn_are_scored_and_go_on(tmp_path, capsys):
    world = "env=examples.bouncing_square:bouncing_square"
    probe = "eval.probes=[linear,factors,examples.prototypes:prototypes]"
    sizes = [text for text in SMALL if not text.startswith(("env=", "pairs"))]
    overrides = [world, probe, *sizes, "eval.transfer=[]", "eval.ends=[]", f"results_dir={tmp_path}", "run.name=one"]
    assert start([*overrides, "run.frames=96"], PROGRAM) == 0
    out = capsys.readouterr().out
    assert "nearest class mean" in out
    assert "position" in out  # a factor of that world
    with pytest.raises(SettingError, match=f"add {world}"):
        start([f"run.resume={tmp_path}/one", "run.frames=128"], PROGRAM)
    assert start([f"run.resume={tmp_path}/one", "run.frames=128", world, probe], PROGRAM) == 0
    recording = tmp_path / "square.zarr"
    assert record([world, f"record.path={recording}", "record.frames=256", "env.size=16", "env.num_worlds=8"]) == 0
    replay = ["stream=replay", f"stream.path={recording}", world, "eval.every=0", "run.frames=64", "device=cpu"]
    assert start([*replay, f"results_dir={tmp_path}", "run.name=two"], PROGRAM) == 0
    assert page([load(tmp_path / "one")], made_by="")


def test_a_world_or_probe_that_is_not_there_is_one_line(tmp_path):
    for override, message in {
        "env=examples.nothing:x": "env=examples.nothing:x cannot be imported",
        "env=examples.triplet:x": "examples.triplet registers no world x",
        "eval.probes=[linear,examples.nothing:x]": "cannot be imported",
        "eval.probes=[linear,examples.triplet:x]": "registers no probe x",
    }.items():
        with pytest.raises(SettingError, match=message):
            start([override, f"results_dir={tmp_path}"], PROGRAM)


@pytest.mark.parametrize("own", ["loss=triplet", "learner=perturbation", "network=normed"])
def test_an_example_learns(own):
    settings = read([*SMALL, *OWN, own, *([] if own.startswith("learner") else ["learner=dgl"])])
    check(settings)
    one = learner_of(settings)
    before, pairs = weights(one), batches(12)
    losses = [one.update(batch)["loss"] for batch in pairs]
    after = weights(one)
    assert all(torch.isfinite(loss) for loss in losses)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_a_run_with_all_of_ones_own_goes_on_where_it_was(tmp_path):
    own = [*OWN, "loss=triplet", "loss.margin=0.3", "learner=perturbation", "network=normed"]
    overrides = [*SMALL, *own, "eval.every=0", "run.frames=32", f"results_dir={tmp_path}"]
    assert start([*overrides, "run.name=one"], PROGRAM) == 0
    parts = ["loss.kind=examples.triplet.triplet", "learner.schedule=examples.perturbation.WeightPerturbation"]
    said = [*OWN, *parts, "network.name=examples.normed.NORMED"]
    with pytest.raises(SettingError, match="counts only if it is said again"):
        start([f"run.resume={tmp_path}/one", "run.frames=48"], PROGRAM)
    assert start([f"run.resume={tmp_path}/one", "run.frames=48", *said], PROGRAM) == 0


def test_a_rule_that_looks_twice_cannot_learn_from_what_passes_once():
    with pytest.raises(SettingError, match="looks twice at every pair; set loss=hinge_stop_gradient"):
        learner_of(read([*OWN, *SMALL, "learner=perturbation", "loss=hinge_remembered"]))


def test_perturbing_goes_down_the_gradient():
    settings = read([*OWN, *SMALL, "learner=perturbation", "learner.sigma=0.0001"])
    one, pairs = learner_of(settings), batches(1)[0]
    one.network.double()
    pairs = pairs._replace(first=pairs.first.double(), second=pairs.second.double())
    one.learn(pairs)
    guess = [weight.grad for weight in one.network.parameters()]
    one.optimiser.zero_grad()
    one.loss(one.embed(pairs.first), one.embed(pairs.second), episode=pairs.episode)[0].backward()
    # the guess is X <X, g>, whatever X: its product with g is <X, g>^2, and is what the loss fell by along X
    products = [(a * weight.grad).sum() for a, weight in zip(guess, one.network.parameters(), strict=True)]
    assert sum(products) > 0


@pytest.mark.parametrize(
    "message",
    [
        "learner.schedule=examples.normed.NORMED must be a subclass of Learner",
        "network.name=examples.triplet.triplet must be a Spec",
        "loss.kind=examples.normed.NORMED must be a function or a Loss",
    ],
)
def test_what_is_of_the_wrong_sort_is_refused(message):
    sensible = {"learner.schedule": "end_to_end", "network.name": "conv4", "loss.kind": "hinge"}
    parts = sensible | {message.partition("=")[0]: message.partition("=")[2].partition(" ")[0]}
    with pytest.raises(SettingError, match=message):
        built(network=parts["network.name"], loss={"kind": parts["loss.kind"]}, schedule=parts["learner.schedule"])


@pytest.mark.parametrize(
    ("message", "overrides"),
    [
        ("loss=triplett is unknown; did you mean triplet", [*OWN, "loss=triplett"]),
        ("loss=triplet is unknown", ["loss=triplet"]),
        ("loss.margn is no setting; did you mean loss.margin", [*OWN, "loss=triplet", "loss.margn=1"]),
        ("hydra.searchpath=.nowhere. is no folder", ["hydra.searchpath=[nowhere]", "loss=hinge"]),
    ],
)
def test_mistakes_in_what_is_ones_own_are_told_as_any(message, overrides):
    with pytest.raises(SettingError, match=message):
        read(overrides)


@pytest.mark.parametrize(
    ("message", "overrides"),
    [
        (
            "loss.margin=wide is no value that triplet takes; give a number, as in 0.1",
            ["loss=triplet", "loss.margin=wide"],
        ),
        ("learner.sigma=True is no value that PerturbationSettings", ["learner=perturbation", "learner.sigma=true"]),
    ],
)
def test_a_word_where_ones_own_part_wants_a_number_is_told(message, overrides):
    with pytest.raises(SettingError, match=message):
        learner_of(read([*OWN, *SMALL, *overrides]))
