"""From settings to a learner: network x loss x feedback x schedule."""

from typing import Any

import torch

from envs.errors import SettingError, unknown
from learners import layerwise
from learners.end_to_end import EndToEnd, Learner, Untrained
from learners.layerwise import LayerWise
from learners.losses import Hinge
from learners.networks import SPECS, Network
from learners.target_prop import TargetProp

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
    if schedule == "target_prop" and feedback != "backprop":
        raise SettingError(
            f"learner.feedback={feedback} has no use in target propagation, which sends back targets, not errors"
        )
    if targets and schedule != "target_prop":
        raise SettingError(f"learner.{next(iter(targets))} is a setting of target propagation; set learner=dtp")
    if schedule == "target_prop":
        _check_targets(size=size, blocks=len(SPECS.get(network, ())), **targets)
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


def _check_targets(*, size: int, blocks: int, alpha: float, noise: float, inverse_lr: float, inverse_steps: int):
    """Each inverse doubles its block's output, which must give back the size of the block below it."""
    whole = 2**blocks
    if size >= whole and (size // 2) % (whole // 2):
        raise SettingError(
            f"env.size={size} does not halve evenly {blocks} times, as the inverses of target propagation need; "
            f"try {size // whole * whole} or {(size // whole + 1) * whole}"
        )
    for name, value, least in (("noise", noise, 0), ("inverse_steps", inverse_steps, 0)):
        if value < least:
            raise SettingError(f"learner.{name}={value} must be {least} or more")
    for name, value, usual in (("alpha", alpha, 0.5), ("inverse_lr", inverse_lr, 1e-3)):
        if value <= 0:
            raise SettingError(f"learner.{name}={value} would learn nothing; try {usual}")
