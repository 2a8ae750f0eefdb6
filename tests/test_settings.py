import pytest
import torch
from omegaconf import OmegaConf

from envs.errors import SettingError
from runs.settings import check, choices, first_choices, read


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("lerner=bp", "did you mean learner?"),
        ("learner=bpp", "did you mean bp?"),
        ("env.sise=32", "did you mean env.size?"),
        ("learner.lrr=1", "did you mean learner.lr?"),
        ("run.frame=9", "did you mean run.frames?"),
        ("seed=abc", "seed=abc"),
        ("env.num_worlds=many", "env.num_worlds=many"),
        ("+new=1", "new is no setting"),
        ("rubbish", "name=value"),
    ],
)
def test_an_unknown_or_unfit_setting_is_told_in_one_line_with_the_near_miss(override, told):
    with pytest.raises(SettingError) as caught:
        read([override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


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
        "learner.lr=0",
        "device=tpu",
    ],
)
def test_settings_that_cannot_work_are_found_before_any_work(override):
    with pytest.raises(SettingError, match=override.split("=")[0]):
        check(read([override]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_named():
    with pytest.raises(SettingError, match="device=cuda is not on this machine"):
        check(read(["device=cuda"]))


def test_every_choice_of_every_group_makes_settings():
    for group, names in choices().items():
        for name in names:
            settings = read([f"{group}={name}"])
            check(settings)
            assert not OmegaConf.missing_keys(settings)


def test_a_sweep_is_checked_by_its_first_values():
    assert first_choices(["learner=bp,gll", "seed=range(3)", "run.frames=64"]) == [
        "learner=bp",
        "seed=0",
        "run.frames=64",
    ]
