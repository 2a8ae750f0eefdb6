"""Every row of the paper's table is what the paper says, and runs, from views and from a stream."""

import numpy as np
import pytest

from learners.online import PROGRAM
from runs.analysis.summary import summary
from runs.config import composing
from runs.launch.start import start

LEARNERS = ("bp", "dtp", "rf", "gll", "gll_rf", "rll", "rll_rf")
OTHERS = {
    "simclr": ("bp", "ntxent"),
    "clapp": ("bp", "clapp"),
    "clapp_gll": ("gll", "clapp"),
    "none": ("none", "hinge"),
}


def test_there_is_a_row_for_each_of_the_paper_and_no_other():
    rows = {*LEARNERS, *(f"{name}_block5" for name in LEARNERS), *OTHERS}
    names = [name.split("/") for name in composing.choices()["experiment"] if name.startswith("table1")]
    assert {row for table, row in names if table == "table1"} == rows
    assert {row for table, row in names if table == "table1_stream"} == rows


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_row_of_the_hinge_is_what_the_paper_says(learner):
    free, blocked = (composing.read([f"experiment=table1/{learner}{form}"]) for form in ("", "_block5"))
    for settings in (free, blocked):
        assert settings.learner.name == learner
        assert settings.network.name == ("conv4_tang2022" if learner == "dtp" else "conv6")
        assert settings.network.input_range == 1
        epochs = 400 * (5 if learner.startswith(("gll", "rll")) else 1)  # of each block
        assert settings.run.frames == epochs * 50_000
        assert settings.learner.lr == (2e-4 if learner == "dtp" else 1e-4)
        views = "tang2022_conv4" if learner == "dtp" else "tang2022_conv6"
        assert (settings.pairs.name, settings.pairs.gap, settings.pairs.views) == ("augmentation", 0, views)
        assert (settings.loss.positive_margin, settings.loss.negative_margin) == (1, 3)
    assert (free.loss.stop_gradient, free.loss.negatives) == (False, 0)
    assert free.loss.average == ("violators" if learner == "dtp" else "sum")
    assert (blocked.loss.stop_gradient, blocked.loss.negatives, blocked.loss.average) == (
        True,
        5,
        "sum",
    )


@pytest.mark.parametrize("row", OTHERS)
def test_the_other_rows_are_named_after_what_they_learn_by(row):
    settings = composing.read([f"experiment=table1_stream/{row}"])
    assert (settings.learner.name, settings.loss.name) == OTHERS[row]
    assert settings.pairs.name == "temporal"
    assert settings.env.speed > 0


@pytest.fixture
def pictures(tmp_path):
    """A folder of what the protocol needs, tiny: noise about a colour for each label."""
    draws = np.random.default_rng(0)
    for name, count in (("cifar100_train", 60), ("cifar10_train", 80), ("cifar10_test", 30)):
        labels = np.arange(count) % 4
        colours = draws.integers(60, 200, (4, 1, 1, 3))
        images = (colours[labels] + draws.integers(-40, 40, (count, 32, 32, 3))).astype(np.uint8)
        np.savez(tmp_path / f"{name}.npz", images=images, labels=labels)
    return tmp_path


@pytest.mark.parametrize("experiment", ["table1/rll_block5", "table1_stream/simclr"])
def test_a_row_runs_and_is_scored_on_the_other_pictures(pictures, experiment):
    tiny = ["network=conv4", "env.num_worlds=8", "run.frames=48", "run.log_every=24", "eval.every=48", "device=cpu"]
    sizes = ["eval.train=40", "eval.validation=12", "eval.test=20", "env.pictures=50", "env.episode_length=6"]
    folders = [f"eval.data_root={pictures}", f"results_dir={pictures}/results"]
    assert start([f"experiment={experiment}", *folders, *tiny, *sizes], PROGRAM) == 0
    table, row = experiment.split("/")
    report = summary(pictures / "results" / table / f"{row}-seed0")
    assert report["eval"]["transfer"]["cifar10"]["frames"] == [0, 48]
    assert report["updates"] > 0


def test_target_propagation_and_simclr_have_the_authors_values():
    dtp, simclr = (composing.read([f"experiment=table1/{row}"]) for row in ("dtp", "simclr"))
    learner = dtp.learner
    assert (learner.noise, learner.inverse_lr, learner.inverse_rows, learner.inverse_kernel) == (1, 1e-3, 0, 3)
    assert learner.top_target == "mean"
    assert all(block[0].bias for block in dtp.network.blocks)
    assert simclr.loss.temperature == 0.1
