"""From settings to a learner: network x loss x feedback x schedule."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from inspect import isclass
from typing import Any

import torch

from envs.errors import SettingError
from learners.losses.base import LossSettings
from learners.losses.build import LOSSES, build_losses
from learners.networks.blocks import Head
from learners.networks.network import Network, NetworkSettings, spec_of
from learners.registry import check_numbers, look_up
from learners.rules.base import Learner, LearnerSettings
from learners.rules.bio_sfa import BioSfa
from learners.rules.end_to_end import EndToEnd, Untrained
from learners.rules.layerwise import Greedy, Random, Simultaneous
from learners.rules.softhebb import SoftHebb
from learners.rules.target_prop import TargetProp
from learners.rules.trace import Trace
from streams.seeding import seeded

RULES: dict[str, type[Learner]] = {  # by learner.schedule
    "end_to_end": EndToEnd,
    "greedy": Greedy,
    "random": Random,
    "simultaneous": Simultaneous,
    "target_prop": TargetProp,
    "softhebb": SoftHebb,
    "trace": Trace,
    "bio_sfa": BioSfa,
    "untrained": Untrained,
}
PRESETS = {  # learner=NAME, which has the settings of its schedule
    "end_to_end": "bp",
    "greedy": "gll",
    "random": "rll",
    "simultaneous": "dgl",
    "target_prop": "dtp",
    "softhebb": "softhebb",
    "trace": "trace",
    "bio_sfa": "biosfa",
    "untrained": "none",
}
SCHEMAS: dict[tuple[str | None, str], type] = {
    **{("learner", f"{schedule}_schema"): rule.settings_type for schedule, rule in RULES.items()},
    ("learner", "rule_schema"): LearnerSettings,
    **{("loss", f"{kind}_schema"): loss.settings for kind, loss in LOSSES.items()},
    ("network", "network_schema"): NetworkSettings,
}


def build_learner(
    settings: LearnerSettings | Mapping[str, Any],
    *,
    loss: LossSettings | Mapping[str, Any],
    network: NetworkSettings,
    size: int,
    updates: int,
    seed: int,
    device: torch.device,
    longest_gap: int = 0,
) -> Learner:
    """A learner at its start.

    Args:
        settings: one of ours, or a mapping of those of a rule of one's own, whose `schedule` is its dotted path.
        loss: likewise, with the `kind` of a loss of one's own.
        network: whose `name` is one of ours or the dotted path of a Spec.
        size: pixels along an edge of the images.
        updates: how many are planned, which greedy schedules share out.
        longest_gap: steps that a loss that remembers goes back.

    Raises:
        SettingError: an unknown name, or a combination that makes no sense, with the reason.
    """
    schedule = settings["schedule"] if isinstance(settings, Mapping) else settings.schedule
    rule = look_up("learner.schedule", schedule, RULES, expected="a subclass of Learner", fits=_is_rule)
    settings = _settings_of(rule, settings, schedule)
    if rule.without_feedback and settings.feedback != "backprop":
        raise SettingError(f"learner.feedback={settings.feedback} has no use in {rule.without_feedback}; leave it out")
    rule.check(settings, spec=spec_of(network), size=size)
    net = Network(network, size=size, feedback=settings.feedback, heads=rule.heads, seed=seed)
    net = net.to(device).to(memory_format=torch.channels_last)
    widths = [head.width for head in net.heads if isinstance(head, Head)]
    losses = build_losses(loss, widths=widths, feedback=settings.feedback, seed=seed, longest_gap=longest_gap)
    with seeded(seed, "weights/rule"):  # which one's own may have
        return rule(net, losses.to(device), settings, seed=seed, updates=updates)


def _is_rule(part: Any) -> bool:
    return isclass(part) and issubclass(part, Learner)


def _settings_of(rule: type[Learner], settings: LearnerSettings | Mapping[str, Any], schedule: str) -> LearnerSettings:
    """The settings as the rule's own type; refuses what it does not have, and the lack of what it needs."""
    kind, known = rule.settings_type, {item.name: item for item in fields(rule.settings_type)}
    values = dict(settings) if isinstance(settings, Mapping) else vars(settings)
    instead = f"choose learner={PRESETS[schedule]}" if schedule in PRESETS else "see examples/"
    for name in values:
        if name not in known:
            raise SettingError(
                f"learner.{name} is no setting of learner.schedule={schedule}; leave it out, or {instead}"
            )
    for name, item in known.items():
        if item.default is MISSING and item.default_factory is MISSING and name not in values:
            raise SettingError(f"learner.schedule={schedule} needs learner.{name}; add it, or {instead}")
    if type(settings) is kind:
        return settings
    check_numbers(kind, values, group="learner")
    return kind(**values)
