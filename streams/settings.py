"""The dataclasses of the groups that say where frames come from, how they are paired, and what is kept of them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from envs.errors import unknown
from envs.worlds import WORLDS
from streams.live import LiveSettings
from streams.pairing.memory import BufferSettings, MemorySettings
from streams.pairing.pairing import AugmentationSettings, BothSettings, TemporalSettings
from streams.replay.sequential import ReplaySettings

CHOICES: dict[str, dict[str, type]] = {
    "env": WORLDS,
    "stream": {"live": LiveSettings, "replay": ReplaySettings},
    "pairs": {"temporal": TemporalSettings, "augmentation": AugmentationSettings, "both": BothSettings},
    "memory": {"none": MemorySettings, **dict.fromkeys(("fifo", "reservoir", "minred"), BufferSettings)},
}
SCHEMAS: dict[tuple[str | None, str], type] = {
    (group, f"{name}_schema"): schema
    for group, choices in (CHOICES | {"memory": {"none": MemorySettings, "buffer": BufferSettings}}).items()
    for name, schema in choices.items()
}


def instance(group: str, values: Mapping[str, Any]) -> Any:
    """The dataclass of the group's choice `values["name"]`; values that have no field, as in old runs, are left out.

    Raises SettingError: no such choice, or a value that cannot work.
    """
    if values["name"] not in CHOICES[group]:
        raise unknown(group, values["name"], CHOICES[group])
    schema = CHOICES[group][values["name"]]
    return schema(**{field.name: values[field.name] for field in fields(schema) if field.name in values})
