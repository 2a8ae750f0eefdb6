"""A tiny stream and learners on it, for the tests of the rules."""

import torch

from learners.build import build_learner
from learners.losses.build import LOSSES
from learners.losses.hinge import Hinge
from learners.networks.network import NetworkSettings
from streams.types import Pairs

CPU = torch.device("cpu")
RULES = {
    "bp": ("end_to_end", "backprop"),
    "rf": ("end_to_end", "random"),
    "urf": ("end_to_end", "updated"),
    "sign": ("end_to_end", "sign"),
    "dgl": ("simultaneous", "updated"),
    "gll": ("greedy", "updated"),
    "rll": ("random", "updated"),
    "gll_rf": ("greedy", "random"),
    "rll_rf": ("random", "random"),
    "dtp": ("target_prop", "backprop"),
    "dtp_ldrl": ("target_prop", "backprop"),
    "softhebb": ("softhebb", "backprop"),
    "trace": ("trace", "backprop"),
    "biosfa": ("bio_sfa", "backprop"),
    "none": ("untrained", "backprop"),
}
HEBBIAN = ("softhebb", "trace", "biosfa")
TARGETS = {
    "alpha": 0.5,
    "noise": 0.3,
    "inverse_lr": 1e-3,
    "inverse_steps": 1,
    "inverse_loss": "reconstruction",
    "inverse_rows": 0,
    "inverse_kernel": 0,
}


RULE_SETTINGS = ("optimiser", "momentum", "weight_decay", "lr_schedule", "warmup", "turns", "patience")


def loss_settings(**fields):
    """The settings of a loss; the hinge's in the paper's first form, where `fields` do not say otherwise."""
    kind = fields.get("kind", "hinge")
    if kind not in LOSSES:
        return fields
    form = {"anchors": "first", "stop_gradient": True, "average": "sum"} if kind == "hinge" else {}
    return LOSSES[kind].settings(**form | fields)


def hinge(**fields):
    return Hinge(loss_settings(**fields))


def built(*, schedule, network="conv4", size=16, loss=None, updates=20, seed=0, device=CPU, longest_gap=0, **settings):
    """A learner from plain values: `loss` are fields of `loss_settings`, `settings` those of the rule."""
    return build_learner(
        {"name": "toy", "schedule": schedule, **settings},
        loss=loss_settings(**loss or {}),
        network=NetworkSettings(network),
        size=size,
        updates=updates,
        seed=seed,
        device=device,
        longest_gap=longest_gap,
    )


def learner(rule, *, seed=0, updates=20, lr=1e-3, longest_gap=0, network="conv4", **loss):
    """A learner by the name of its rule; what is not named in RULE_SETTINGS is a setting of its loss."""
    schedule, feedback = RULES[rule]
    settings = {name: loss.pop(name) for name in RULE_SETTINGS if name in loss}
    settings |= {"dtp": TARGETS, "dtp_ldrl": TARGETS | {"inverse_loss": "ldrl"}}.get(rule, {})
    return built(
        schedule=schedule, feedback=feedback, lr=lr, loss=loss, updates=updates, seed=seed, longest_gap=longest_gap,
        network=network, **settings,
    )  # fmt: skip


def batches(count, *, rows=12, seed=0):
    """Pairs of noisy views of one picture of broad patches each, channels_last as a stream gives them."""
    draws = torch.Generator().manual_seed(seed)
    pairs = []
    for step in range(count):
        picture = torch.rand(rows, 2, 2, 3, generator=draws).repeat_interleave(8, 1).repeat_interleave(8, 2)
        views = [(picture + 0.1 * torch.randn(picture.shape, generator=draws)).clamp(0, 1) for _ in range(2)]
        first, second = (view.permute(0, 3, 1, 2) for view in views)
        episode = torch.arange(rows) + rows * step
        pairs.append(Pairs(first, second, torch.ones(rows, dtype=torch.int64), episode, rows * (step + 1)))
    return pairs


def float64(pairs):
    return pairs._replace(first=pairs.first.double(), second=pairs.second.double())


def weights(learner):
    return {name: value.clone() for name, value in learner.network.state_dict().items()}


def same(a, b):
    """Whether two nested states are the same to the last bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
