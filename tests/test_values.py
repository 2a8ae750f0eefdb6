"""Every setting of every command with values that mean nothing: one line that names it, or a sensible run."""

import os

import pytest
from omegaconf import OmegaConf

from envs.errors import SettingError
from envs.settings import keys, read
from learners.online import PROGRAM
from streams.importing import ImportSettings
from streams.record import Settings as RecordSettings
from streams.repair import RepairSettings

VALUES = ("-1", "0", "1e308", "1e31", str(10**31), "nan", "inf", "''", "abc", "[1]", "null")
SMALL = ["device=cpu", "env.num_worlds=4", "env.size=16", "run.frames=64", "eval.every=0", "network=conv4"]
COMBINATIONS = (
    ["env=moving_objects"],
    ["env=counting", "learner=dtp", "memory=minred"],
    ["env=counting", "learner=gll", "loss=clapp", "pairs=both"],
    ["env=counting", "learner=rll_rf", "loss=vicreg", "memory=reservoir", "pairs=augmentation"],
    ["env=counting", "learner=none", "loss=hinge_remembered"],
)


def settings_of(number):
    """The settings of a combination that none before it has."""
    each = [keys(PROGRAM.read([*SMALL, *combination])) for combination in COMBINATIONS[: number + 1]]
    before = {"results_dir", "run.name"}.union(*each[:-1])
    return [key for key in each[-1] if key not in before]


@pytest.mark.parametrize("number", range(len(COMBINATIONS)))
def test_a_value_of_a_run_that_means_nothing_is_one_line_or_a_run(number):
    """Two values of each setting in turn, or with CONTIGUITY_FUZZ=500 all of them."""
    for place, key in enumerate(settings_of(number)):
        for value in VALUES if "CONTIGUITY_FUZZ" in os.environ else (VALUES[place % 11], VALUES[(place + 5) % 11]):
            overrides = [one for one in [*SMALL, *COMBINATIONS[number]] if not one.startswith(f"{key}=")]
            try:
                PROGRAM.check(PROGRAM.read([*overrides, f"{key}={value}"]))
            except SettingError as error:
                assert "\n" not in str(error), (key, value)  # noqa: PT017
                assert len(str(error)) < 600, (key, value)  # noqa: PT017


@pytest.mark.parametrize("schema", [RecordSettings, ImportSettings, RepairSettings])
def test_a_value_of_another_command_that_means_nothing_is_one_line_or_taken(schema):
    defaults = OmegaConf.structured(read(schema, []))
    for key in keys(defaults):
        for value in VALUES:
            try:
                read(schema, [f"{key}={value}"])
            except SettingError as error:
                assert "\n" not in str(error), (key, value)  # noqa: PT017


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("env.shadows=-1", "neither true nor false"),
        ("seed=-1", "seed=-1 is out of range"),
        (f"seed={10**31}", "is out of range"),
        ("learner.lr=1e308", "is out of range"),
        ("loss.negatives=1e31", "negatives"),
        ("learner.lr=nan", "is out of range"),
        ("env.name=abc", "choose it with env=NAME"),
        ("env.split=abc", "env.split=abc is unknown"),
        ("env.phases=-1", "env.phases=-1"),
        ("memory.updates=100000", "memory.updates=100000 is out of range"),
        ("learner=null", "learner=None is unknown"),
        ("env.background_dataset=CIFAR10", "needs env.background_path"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(override, line):
    with pytest.raises(SettingError, match=line):
        PROGRAM.build(PROGRAM.check(PROGRAM.read([*SMALL, override])))


def test_an_id_of_no_world_is_refused_by_name():
    with pytest.raises(SettingError, match="env.id=abc is no world"):
        PROGRAM.build(PROGRAM.check(PROGRAM.read([*SMALL, "env.id=abc"])))
