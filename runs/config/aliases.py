"""What settings were called before: old names are accepted on command lines and in the settings of old runs."""

import re
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from runs.config.paths import as_given

KEYS = {  # old: new
    "learner.lr_law": "learner.lr_schedule",
    "learner.turn_gain": "learner.min_delta",
    "learner.turn_updates": "learner.patience",
    "loss.blocked": "loss.stop_gradient",
    "pairs.gap_law": "pairs.gap_distribution",
    "run.tensorboard": "run.loggers",
}
VALUES = {  # key: {old: new}, as an override writes them
    "loss": {"hinge_blocked": "hinge_stop_gradient"},
    "loss.name": {"hinge_blocked": "hinge_stop_gradient"},
    "pairs.views": {"paper": "tang2022"},
    "run.loggers": {"true": "[tensorboard]", "false": "[]"},
}

BEFORE = {  # settings that came later: what runs had that do not name them, if they name the other of their group
    "learner.inverse_kernel": ("inverse_lr", 0),
}


def current_override(text: str, *, is_sweep: bool = False) -> str:
    """A command-line override `name=value`, or one with several values, by the present names; a path as it was given.

    Raises SettingError: an empty path.
    """
    head, equals, value = text.partition("=")
    prefix = head[: len(head) - len(head.lstrip("+~"))]
    key = KEYS.get(head.lstrip("+~"), head.lstrip("+~"))
    for old, new in VALUES.get(key, {}).items():
        value = re.sub(rf"(?<![\w.]){old}(?![\w.])", new, value)
    return as_given(f"{prefix}{key}{equals}{value}", is_sweep=is_sweep)


def merged(first: DictConfig, *others: DictConfig | dict[str, Any]) -> DictConfig:
    """Settings, of which later ones stand over those before."""
    config = OmegaConf.merge(first, *others)
    assert isinstance(config, DictConfig)
    return config


def current_values(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run, of which each group is a dict, in place, by the present names."""
    for old, new in KEYS.items():
        group, _, name = old.partition(".")
        if isinstance(settings.get(group), dict) and name in settings[group]:
            settings[group][new.partition(".")[2]] = settings[group].pop(name)
    for key, (other, before) in BEFORE.items():
        group, _, name = key.partition(".")
        if isinstance(settings.get(group), dict) and other in settings[group]:
            settings[group].setdefault(name, before)
    for key, values in VALUES.items():
        group, _, name = key.partition(".")
        held = settings.get(group) if name else settings
        value = held.get(name or group) if isinstance(held, dict) else None
        text = str(value).lower() if isinstance(value, bool) else value
        if isinstance(held, dict) and isinstance(text, str) and text in values:
            held[name or group] = yaml.safe_load(values[text])
    return settings
