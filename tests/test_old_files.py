"""What was written at 7f64d6c, before names changed, is shown, compared, reported, replayed and resumed.

`tests/data/README.md` says how the files were made, and what the code of then made of them afterwards.
"""

import json
import tarfile
from contextlib import closing
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from learners.online import PROGRAM
from runs import compare, report
from runs.analysis.summary import summary
from runs.config.aliases import KEYS, VALUES, current_override, current_values
from runs.config.composing import keys, read
from runs.launch.start import start
from runs.store.checkpoint import load_newest
from streams.check import examine
from streams.live import Live
from tests.helpers.recordings import assert_same, replay_of

DATA = Path(__file__).parent / "data" / "written_at_7f64d6c.tar.xz"
RUNS = ("dgl", "bp", "gll", "rf", "dtp", "replayed", "recording", "drifting")


@pytest.fixture
def old(tmp_path, monkeypatch):
    """The folder that the old code wrote into, as working directory."""
    with tarfile.open(DATA) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # tiny_network.py, which the runs name
    return tmp_path


def without_chance(scores):
    """What a run's JSON says, less the baseline whose meaning has changed and what is new."""
    return scores | {"baseline": {name: of for name, of in scores["baseline"].items() if "chance" not in name}}


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_is_shown_as_then(old, name):
    then, now = (
        json.loads((old / f"shown_{name}.json").read_text()),
        json.loads(json.dumps(summary(Path("results", name)))),
    )
    assert now["baseline"]["majority_class"] == then["baseline"]["chance"]  # which is what it was called
    now["baseline"].pop("majority_class")
    assert now.pop("complete") is True
    assert without_chance(now) == without_chance(then)


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_is_resumed_to_the_weights_that_it_came_to_then(old, name):
    again = [f"run.resume=results/{name}", "run.frames=256", "network.name=tiny_network.SPEC"]
    assert start(again, PROGRAM) == 0
    weights = load_newest(Path("results", name, "checkpoints"))[0]["learner"]["network"]
    with np.load("continued.npz") as then:
        names = [key for key in then.files if key.startswith(f"{name}/")]
        assert len(names) == len(weights)
        for key in names:
            now = weights[key.removeprefix(f"{name}/").replace(".back", ".feedback_weight")]
            assert np.allclose(now, then[key], rtol=1e-4, atol=1e-6), key


def test_old_runs_are_compared_and_reported(old, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare", "results/dgl", "results/dtp", "--json"])
    compare.main()
    groups = json.loads(capsys.readouterr().out)["tasks"]["linear"]["groups"]
    assert {row["group"].partition(",")[0] for row in groups} == {"dgl", "dtp"}
    monkeypatch.setattr("sys.argv", ["report", *(f"results/{name}" for name in RUNS), "--out", "page.html"])
    report.main()
    assert "raw pixels" in (old / "page.html").read_text()


def test_old_recordings_are_sound_and_replayed(old):
    for name, frames in (("walk", 160), ("counting", 256), ("imported", 24), ("seen", 128)):
        checked = examine(f"{name}.zarr")
        assert (checked["damaged"], checked["frames"]) == ([], frames)
    env = read(["stream=replay", "stream.path=walk.zarr", "run.frames=160"]).env
    world = gym.make_vec("MovingObjects-v0", num_envs=env.num_worlds, size=env.size, episode_length=12, stagger=True)
    with closing(replay_of("walk.zarr")) as replay:
        for recorded, live in zip(replay, Live(world, seed=5, gaze="saccades"), strict=False):
            assert_same(recorded, live)


def test_old_settings_are_accepted_by_their_old_names():
    values = {"learner.lr_law": "constant", "learner.turn_gain": "0.1", "learner.turn_updates": "3"}
    values |= {"loss.blocked": "false", "pairs.gap_law": "uniform", "run.tensorboard": "true"}
    assert values.keys() == KEYS.keys()
    settings = read(["learner=gll", *(f"{old}={value}" for old, value in values.items())])
    assert set(KEYS.values()) <= set(keys(settings))
    assert (settings.learner.patience, settings.pairs.gap_distribution) == (3, "uniform")
    assert settings.run.loggers == ["tensorboard"]
    assert current_values({"run": {"tensorboard": False}}) == {"run": {"loggers": []}}
    assert read(["loss=hinge_blocked", "pairs=both", "pairs.views=paper"]).pairs.views == VALUES["pairs.views"]["paper"]
    assert current_override("pairs.views=simclr,paper") == "pairs.views=simclr,tang2022"
    old = {"pairs": {"gap_law": "geometric", "views": "paper"}, "loss": {"name": "hinge_blocked"}}
    assert current_values(old) == {
        "pairs": {"gap_distribution": "geometric", "views": "tang2022"},
        "loss": {"name": "hinge_stop_gradient"},
    }
