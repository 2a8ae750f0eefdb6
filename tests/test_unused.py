"""A setting that has no use with the others is refused where a user gives it, and never where a folder says it."""

import pytest

from envs.errors import SettingError, check_used
from envs.settings import read
from envs.worlds import WORLDS
from learners.build import RULES
from learners.online import PROGRAM
from learners.run import SCHEMAS
from runs.launch.start import start
from streams.record import Settings as RecordSettings
from streams.repair import RepairSettings
from streams.replay.orders import OrderSettings
from tests.helpers.online import SMALL

CLASSES = {*SCHEMAS.values(), *WORLDS.values(), *(rule.settings_type for rule in RULES.values()), RepairSettings}


@pytest.mark.parametrize(
    ("overrides", "name", "way_out"),
    [
        (["env.phases=3"], "env.phases=3", "env.drift=categories"),
        (["env.recurring=false"], "env.recurring=false", "env.drift=categories or env.drift=day_night"),
        (["learner=gll", "learner.patience=4"], "learner.patience=4", "learner.turns=rotate or learner.turns=plateau"),
        (["learner=gll", "learner.turns=rotate", "learner.min_delta=0.1"], "learner.min_delta=0.1", "turns=plateau"),
    ],
)
def test_the_main_job_refuses_what_has_no_use(tmp_path, overrides, name, way_out):
    with pytest.raises(SettingError, match=f"{name} has no use with .*; leave it out, or set .*{way_out}"):
        start([f"results_dir={tmp_path}", *overrides], PROGRAM)
    assert not list(tmp_path.iterdir())


def test_a_sweep_may_vary_what_gives_a_setting_its_use(tmp_path):
    overrides = [*SMALL, "learner=gll", "learner.patience=4", "learner.turns=share", f"results_dir={tmp_path}"]
    assert start([*overrides, "run.frames=48", "eval.every=0"], PROGRAM, varied=["learner.turns=share"]) == 0


def test_the_other_commands_refuse_it_too():
    with pytest.raises(SettingError, match="env.phase_length=9 has no use with env.drift=none"):
        read(RecordSettings, ["env.phase_length=9"])
    with pytest.raises(SettingError, match="otherwise=cut has no use with repair=false"):
        read(RepairSettings, ["otherwise=cut"])
    assert read(RepairSettings, ["otherwise=cut", "repair=true"]).otherwise == "cut"


def test_of_an_order_the_window_and_the_clip_are_used_where_frames_are_shuffled():
    check_used(OrderSettings(order="window"), ["window", "clip"])
    check_used(OrderSettings(order="shuffled"), ["clip"])
    with pytest.raises(SettingError, match=r"stream.clip=1 .* set stream.order=window or stream.order=shuffled"):
        check_used(OrderSettings(), ["clip"], prefix="stream.")


@pytest.mark.parametrize("schema", sorted((of for of in CLASSES if hasattr(of, "needs")), key=str))
def test_what_needs_another_setting_names_fields_that_there_are(schema):
    for name, (other, users) in schema.needs.items():
        assert {name, other} <= {*schema.__dataclass_fields__}
        assert users
