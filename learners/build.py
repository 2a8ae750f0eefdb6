"""From settings to a learner: network x loss x feedback x schedule."""

from typing import Any

import torch

from envs.errors import SettingError, unknown
from learners import layerwise
from learners.end_to_end import EndToEnd, Learner, Untrained
from learners.layerwise import LayerWise
from learners.losses import Hinge
from learners.networks import Network
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
    heads = "every" if schedule in ("greedy", "random", "simultaneous") else "top"
    net = Network(network, size=size, feedback=feedback, heads=heads, seed=seed)
    net = net.to(device, memory_format=torch.channels_last)
    rule = {"loss": Hinge(**loss), "lr": lr}
    blocks = len(net.blocks)
    if schedule == "greedy":
        return LayerWise(net, **rule, schedule=layerwise.greedy(blocks, updates=max(updates, 1)))
    if schedule == "random":
        return LayerWise(net, **rule, schedule=layerwise.random(blocks, seed=seed))
    if schedule == "simultaneous":
        return LayerWise(net, **rule, schedule=layerwise.simultaneous(blocks))
    if schedule == "target_prop":
        learner = TargetProp(net, **rule, **targets, seed=seed)
        learner.inverses.to(device, memory_format=torch.channels_last)
        return learner
    return (EndToEnd if schedule == "end_to_end" else Untrained)(net, **rule)
