import pytest

from envs.errors import SettingError
from streams.pairing.pairing import BothSettings
from streams.settings import CHOICES, instance


def test_a_group_becomes_the_dataclass_of_its_choice_without_what_that_has_no_field_for():
    values = {"name": "both", "gap": 2, "views": "crops", "of_an_older_version": 3}
    assert instance("pairs", values) == BothSettings(gap=2, views="crops")


@pytest.mark.parametrize("group", CHOICES)
def test_a_choice_that_is_none_is_named(group):
    with pytest.raises(SettingError, match=f"{group}=nothing is unknown"):
        instance(group, {"name": "nothing"})
