"""From settings to a learner: network x loss x feedback x schedule."""

from inspect import Parameter, isclass, signature
from typing import Any

import torch

from envs.errors import SettingError, unknown
from learners.losses import build_losses
from learners.losses.clapp import ClappSettings
from learners.losses.equations import BarlowTwinsSettings, NTXentSettings, VICRegSettings
from learners.losses.hinge import HingeSettings
from learners.networks.network import Network, NetworkSettings, Spec, spec_of
from learners.registry import check_numbers, named
from learners.rules.base import Learner, LearnerSettings
from learners.rules.end_to_end import EndToEnd, Untrained
from learners.rules.layerwise import GreedySettings, LayerWise
from learners.rules.optimizer import OptimizerConfig
from learners.rules.schedules import SCHEDULES
from learners.rules.target_prop import INVERSE_LOSSES, TargetProp, TargetPropSettings
from streams.seeding import seeded

SCHEMAS: dict[tuple[str | None, str], type] = {
    ("learner", "rule_schema"): LearnerSettings,
    ("learner", "greedy_schema"): GreedySettings,
    ("learner", "target_prop_schema"): TargetPropSettings,
    ("loss", "hinge_schema"): HingeSettings,
    ("loss", "ntxent_schema"): NTXentSettings,
    ("loss", "clapp_schema"): ClappSettings,
    ("loss", "barlow_twins_schema"): BarlowTwinsSettings,
    ("loss", "vicreg_schema"): VICRegSettings,
    ("network", "network_schema"): NetworkSettings,
}
RULES = {
    "end_to_end": EndToEnd,
    **dict.fromkeys(SCHEDULES, LayerWise),
    "target_prop": TargetProp,
    "untrained": Untrained,
}
PRESETS = {  # learner=NAME, which has the settings of its schedule
    "end_to_end": "bp",
    "greedy": "gll",
    "random": "rll",
    "simultaneous": "dgl",
    "target_prop": "dtp",
    "untrained": "none",
}
GIVEN = ("steps", "seed", "updates")  # to every rule or schedule, from elsewhere
WITHOUT_FEEDBACK = {
    "target_prop": "target propagation, which sends back targets, not errors",
    "untrained": "a network that does not learn",
}


def build_learner(
    *,
    network: str,
    size: int,
    loss: dict[str, Any],
    schedule: str,
    feedback: str = "backprop",
    updates: int,
    seed: int,
    device: torch.device,
    longest_gap: int = 0,
    **settings: Any,
) -> Learner:
    """A learner at its start. `updates` is how many are planned, which greedy schedules share out; `longest_gap` how
    many moments a loss that remembers goes back.

    `network`, `schedule` and the loss's `kind` are names of ours or dotted paths (see examples/). `settings` are those
    of OptimizerConfig, and the rule's own.

    Raises:
        SettingError: an unknown name, or a combination that makes no sense, with the reason.
    """
    rule = named("learner.schedule", schedule, RULES, wanted="a subclass of Learner", fits=_is_rule)
    if schedule in WITHOUT_FEEDBACK and feedback != "backprop":
        raise SettingError(f"learner.feedback={feedback} has no use in {WITHOUT_FEEDBACK[schedule]}; leave it out")
    steps = OptimizerConfig(
        **{name: settings.pop(name) for name in list(settings) if name in OptimizerConfig.__dataclass_fields__}
    )
    if rule is LayerWise:
        blocks = len(spec_of(network).blocks)
        _refuse_others(settings, SCHEDULES[schedule], schedule)
        settings = {"schedule": SCHEDULES[schedule](blocks, updates=updates, seed=seed, **settings)}
    _refuse_others(settings, rule, schedule)
    check_numbers(rule, settings, group="learner")
    if rule is TargetProp:
        _check_targets(spec_of(network), size=size, **settings)
    net = Network(network, size=size, feedback=feedback, heads=rule.heads, seed=seed)
    net = net.to(device, memory_format=torch.channels_last)
    losses = build_losses(loss, heads=len(net.heads), feedback=feedback, seed=seed, longest_gap=longest_gap)
    with seeded(seed, "weights/rule"):  # which one's own may have
        return rule(net, losses.to(device), steps=steps, seed=seed, **settings)


def _is_rule(found: Any) -> bool:
    return isclass(found) and issubclass(found, Learner)


def _refuse_others(settings: dict[str, Any], of: Any, schedule: str) -> None:
    """Refuses settings that a rule does not have, and a rule that lacks some of its own."""
    parameters = signature(of).parameters
    instead = f"choose learner={PRESETS[schedule]}" if schedule in PRESETS else "see examples/"
    for name in settings:
        if name not in parameters:
            raise SettingError(
                f"learner.{name} is no setting of learner.schedule={schedule}; leave it out, or {instead}"
            )
    for name, it in parameters.items():
        needed = it.kind is Parameter.KEYWORD_ONLY and it.default is Parameter.empty
        if needed and name not in (*settings, *GIVEN):
            raise SettingError(f"learner.schedule={schedule} needs learner.{name}; add it, or {instead}")


def _check_targets(
    spec: Spec,
    *,
    size: int,
    alpha: float,
    noise: float,
    inverse_lr: float,
    inverse_steps: int,
    inverse_loss: str,
    inverse_rows: int,
) -> None:
    """Each inverse undoes its block's halving, which must give back the size of the block below it."""
    if len(spec.blocks) < 2:
        raise SettingError("a network of one block has no block to send a target down to; set learner=bp")
    first, whole = 2 ** spec.blocks[0].count("pool"), 2 ** spec.halvings()
    if size >= whole and (size // first) % (whole // first):
        raise SettingError(
            f"env.size={size} does not halve evenly {spec.halvings()} times, as the inverses of target propagation "
            f"need; try {size // whole * whole} or {(size // whole + 1) * whole}"
        )
    if inverse_loss not in INVERSE_LOSSES:
        raise unknown("learner.inverse_loss", inverse_loss, INVERSE_LOSSES)
    for name, value, least in (
        ("noise", noise, 0),
        ("inverse_steps", inverse_steps, 0),
        ("inverse_rows", inverse_rows, 0),
    ):
        if value < least:
            raise SettingError(f"learner.{name}={value} must be {least} or more")
    for name, value, usual in (("alpha", alpha, 0.5), ("inverse_lr", inverse_lr, 1e-3)):
        if value <= 0:
            raise SettingError(f"learner.{name}={value} would learn nothing; try {usual}")
