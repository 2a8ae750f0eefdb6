"""What is no number stops a run, and nothing that was good is lost."""

import pytest
import torch

from envs.errors import SettingError
from learners.online import PROGRAM
from learners.rules.base import Learner
from runs.launch.divergence import first_bad_weight
from runs.launch.start import start
from runs.store.checkpoint import load_newest, newest
from runs.store.metrics import read
from tests.helpers.learners import same
from tests.helpers.online import SMALL


def spoilt(monkeypatch, *, at, name, value):
    """Every loss of this name is such a value from an update on."""
    whole = Learner.update

    def update(self, pairs):
        report = whole(self, pairs)
        return report | ({name: torch.tensor(value)} if self.updates >= at else {})

    monkeypatch.setattr(Learner, "update", update)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run_and_names_block_update_and_checkpoint(tmp_path, monkeypatch, value):
    spoilt(monkeypatch, at=15, name="block2/loss", value=value)
    with pytest.raises(SettingError) as caught:
        start([*SMALL, f"results_dir={tmp_path}", "run.name=one"], PROGRAM)
    checkpoint = newest(tmp_path / "one" / "checkpoints")
    assert f"block2's loss became {value} at update 15 " in str(caught.value)
    assert str(checkpoint) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert load_newest(tmp_path / "one" / "checkpoints")[0]["updates"] == 10  # of the last save before


def test_a_loss_at_the_top_is_the_last_blocks(tmp_path, monkeypatch):
    spoilt(monkeypatch, at=3, name="loss", value=float("nan"))
    with pytest.raises(SettingError, match="block4's loss became nan at update 3 "):
        start([*SMALL, "learner=bp", "eval.every=0", "watch.every=0", f"results_dir={tmp_path}"], PROGRAM)


def test_a_rule_with_two_learning_rates_names_both(tmp_path, monkeypatch):
    spoilt(monkeypatch, at=3, name="block2/inverse_error", value=float("inf"))
    overrides = [*SMALL, "learner=dtp", "learner.inverse_lr=9", "eval.every=0", "watch.every=0"]
    with pytest.raises(SettingError, match="learner.lr=0.0003 or learner.inverse_lr=9.0 may be too high"):
        start([*overrides, f"results_dir={tmp_path}"], PROGRAM)


def test_what_came_before_is_kept(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        spoilt(patch, at=15, name="block2/loss", value=float("nan"))
        with pytest.raises(SettingError):
            start([*SMALL, f"results_dir={tmp_path}", "run.name=one"], PROGRAM)
    assert read(tmp_path / "one" / "metrics.zarr")[1]["train"]["frames"].tolist() == [32, 64, 96, 128]
    assert start([f"run.resume={tmp_path}/one"], PROGRAM) == 0
    assert start([*SMALL, f"results_dir={tmp_path}", "run.name=straight"], PROGRAM) == 0
    ends = [load_newest(tmp_path / name / "checkpoints")[0] for name in ("one", "straight")]
    assert same(*ends)


def test_a_rate_at_which_weights_overflow_is_found_too(tmp_path):
    with pytest.raises(SettingError, match=r"learner\.lr=3e\+38 may be too high"):
        start([*SMALL, "learner.lr=3e38", f"results_dir={tmp_path}", "run.name=one"], PROGRAM)
    state = load_newest(tmp_path / "one" / "checkpoints")[0]
    assert first_bad_weight(state["learner"]["network"]) is None


def test_the_first_bad_weight_is_named():
    weights = {"blocks.0": torch.ones(3), "blocks.1": torch.tensor([1.0, torch.inf])}
    assert first_bad_weight(weights) == "blocks.1"
    assert first_bad_weight({"blocks.0": torch.ones(3)}) is None
