"""From settings to a learner: network x loss x feedback x schedule."""

from typing import Any

import torch

from envs.errors import SettingError, unknown
from learners import layerwise
from learners.end_to_end import EndToEnd, Learner, Untrained
from learners.layerwise import LayerWise
from learners.losses import Hinge
from learners.named import named
from learners.networks import SPECS, Network, Spec
from learners.target_prop import INVERSE_LOSSES, TargetProp

SCHEDULES = ("end_to_end", "greedy", "random", "simultaneous", "target_prop", "untrained")


def build_learner(
    *,
    network: str,
    size: int,
    loss: dict[str, Any],
    schedule: str,
    feedback: str,
    lr: float,
    updates: int,
    seed: int,
    device: torch.device,
    **targets: Any,
) -> Learner:
    """A learner at its start. `updates` is how many are planned, which greedy schedules share out.

    Raises:
        SettingError: an unknown name, or a combination that makes no sense, with the reason.
    """
    if schedule not in SCHEDULES:
        raise unknown("learner.schedule", schedule, SCHEDULES)
    useless = {
        "target_prop": "target propagation, which sends back targets, not errors",
        "untrained": "a network that does not learn",
    }
    if schedule in useless and feedback != "backprop":
        raise SettingError(f"learner.feedback={feedback} has no use in {useless[schedule]}; leave it out")
    if targets and schedule != "target_prop":
        raise SettingError(f"learner.{next(iter(targets))} is a setting of target propagation; set learner=dtp")
    if schedule == "target_prop":
        _check_targets(named("network.name", network, SPECS), size=size, **targets)
    heads = "every" if schedule in ("greedy", "random", "simultaneous") else "top"
    net = Network(network, size=size, feedback=feedback, heads=heads, seed=seed)
    net = net.to(device, memory_format=torch.channels_last)
    rule = {"loss": Hinge(**loss), "lr": lr}
    blocks = len(net.blocks)
    if schedule == "greedy":
        if updates < blocks:
            raise SettingError(
                f"run.frames is enough for {updates} updates, and a greedy schedule shares them out among {blocks} "
                f"blocks; try run.frames of at least {blocks} x env.num_worlds"
            )
        return LayerWise(net, **rule, schedule=layerwise.greedy(blocks, updates=updates))
    if schedule == "random":
        return LayerWise(net, **rule, schedule=layerwise.random(blocks, seed=seed))
    if schedule == "simultaneous":
        return LayerWise(net, **rule, schedule=layerwise.simultaneous(blocks))
    if schedule == "target_prop":
        learner = TargetProp(net, **rule, **targets, seed=seed)
        learner.inverses.to(device, memory_format=torch.channels_last)
        return learner
    return (EndToEnd if schedule == "end_to_end" else Untrained)(net, **rule)


def _check_targets(
    spec: Spec, *, size: int, alpha: float, noise: float, inverse_lr: float, inverse_steps: int, inverse_loss: str
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
    for name, value, least in (("noise", noise, 0), ("inverse_steps", inverse_steps, 0)):
        if value < least:
            raise SettingError(f"learner.{name}={value} must be {least} or more")
    for name, value, usual in (("alpha", alpha, 0.5), ("inverse_lr", inverse_lr, 1e-3)):
        if value <= 0:
            raise SettingError(f"learner.{name}={value} would learn nothing; try {usual}")
