"""What all rules share."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import MISSING
from torch import Tensor, nn

from learners.losses import Report
from learners.networks.feedback import use_own_weights
from learners.networks.network import Network, eval_mode
from learners.rules.optimizer import OptimizerConfig
from streams.types import Pairs


@dataclass
class LearnerSettings:
    """learner=NAME: a schedule with a feedback, or targets"""

    name: str = MISSING
    schedule: str = "end_to_end"  # end_to_end, greedy, random, simultaneous, target_prop or untrained
    feedback: str = "backprop"  # backprop, random, updated or sign
    lr: float = 1e-3  # learning rate
    optimiser: str = "adam"  # or adamw, sgd, rmsprop, adagrad, adadelta, adamax, nadam, radam
    momentum: float = 0.0  # of sgd and rmsprop
    weight_decay: float = 0.0  # with feedback=updated this is Kolen and Pollack's rule
    lr_schedule: str = "constant"  # or inverse_sqrt: after the warm-up it falls as one over the root of the updates
    warmup: int = 0  # updates in which the learning rate rises to lr


class Learner:
    """What all rules share: a network, a loss for each head, an optimiser, a count of updates."""

    heads = "top"  # which blocks have one: top, or every

    def __init__(self, network: Network, losses: nn.ModuleList, *, steps: OptimizerConfig, seed: int = 0):
        """Whatever a rule draws is a function of (seed, name, update)."""
        self.network, self.losses, self.steps, self.seed = network, losses, steps, seed
        self.optimiser = steps.optimiser_of([*network.parameters(), *losses.parameters()])
        self.updates = 0

    @property
    def loss(self):
        """The loss at the top."""
        return self.losses[-1]

    def update(self, pairs: Pairs) -> Report:
        """One step of learning from a batch of pairs; detached scalars, of which `loss` is one.

        Where no row has a positive (a loss that remembers, at the beginning of an episode), nothing is learned or told.
        """
        self.optimiser.zero_grad()
        report = self.learn(pairs)
        for group in self.optimiser.param_groups:
            group["lr"] = self.steps.lr_at(self.updates)
        self.optimiser.step()
        self.updates += 1
        return report

    def learn(self, pairs: Pairs) -> Report:
        """Leaves the gradients of this update in the network's parameters."""
        raise NotImplementedError

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in [0, 1] to features (B, D)."""
        with eval_mode(self.network):
            return self.network(images)

    @torch.no_grad()
    def encode_blocks(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) float in [0, 1] to every block's output (B, C, H, W); `encode` flattens the last."""
        with eval_mode(self.network):
            return self.network.outputs(images)

    def trainable(self) -> nn.Module:
        """A copy of the encoder, from images to the same features, that learns by true backpropagation."""
        return use_own_weights(deepcopy(self.network))

    def state_dict(self) -> dict[str, Any]:
        """Everything the next update depends on."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "losses", "optimiser")}
        return parts | {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update is the one that followed the saved ones."""
        for name in ("network", "losses", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.updates = state["updates"]
