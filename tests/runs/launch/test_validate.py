import pytest
import torch
from omegaconf import OmegaConf

from envs.errors import SettingError
from learners.online import PROGRAM
from runs.config.composing import read


@pytest.mark.parametrize(
    "override",
    [
        "env.num_worlds=0",
        "env.num_worlds=1",
        "pairs.gap=48",
        "run.frames=0",
        "run.log_every=0",
        "eval.every=-1",
        "eval.test=0",
        "eval.samples=-1",
        "env.categories=1",
        "eval.probes=[knn]",
        "eval.ends=[kn]",
        "learner.lr=0",
        "learner.lr=nan",
        "learner.lr=inf",
        "loss.negative_margin=inf",
        "env.turn=nan",
        "device=tpu",
    ],
)
def test_settings_that_cannot_work_are_found_before_any_work(override):
    with pytest.raises(SettingError, match=override.split("=")[0]):
        PROGRAM.check(read([override]))


def test_a_single_world_needs_negatives_that_are_remembered_and_memories_that_are_moments():
    settings = read(["env.num_worlds=1", "loss=hinge_remembered"])
    PROGRAM.check(settings)
    for message, name, value in (
        ("env.num_worlds=1 .* loss=hinge_remembered", "loss.remember", False),
        ("loss.negatives=0 takes the other worlds' frames", "loss.negatives", 0),
        ("pairs=augmentation has no use with loss.remember=true", "pairs.name", "augmentation"),
        ("pairs.symmetric=True has no use with", "pairs.symmetric", True),
        ("memory=fifo has no use with", "memory.name", "fifo"),
        ("memory.updates=2 has no use with", "memory.updates", 2),
    ):
        changed = settings.copy()
        OmegaConf.update(changed, name, value)
        with pytest.raises(SettingError, match=message):
            PROGRAM.check(changed)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_named():
    with pytest.raises(SettingError, match="device=cuda is not on this machine"):
        PROGRAM.check(read(["device=cuda"]))
