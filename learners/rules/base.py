"""What all rules share."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from learners.losses import Report
from learners.networks.feedback import through_own_weights
from learners.networks.network import Network, still
from learners.rules.optimizer import Steps
from streams.types import Pairs


class Learner:
    """What all rules share: a network, a loss for each head, an optimiser, a count of updates."""

    heads = "top"  # which blocks have one: top, or every

    def __init__(self, network: Network, losses: nn.ModuleList, *, steps: Steps, seed: int = 0):
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
        with still(self.network):
            return self.network(images)

    @torch.no_grad()
    def encode_blocks(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) float in [0, 1] to every block's output (B, C, H, W); `encode` flattens the last."""
        with still(self.network):
            return self.network.outputs(images)

    def trainable(self) -> nn.Module:
        """A copy of the encoder, from images to the same features, that learns by true backpropagation."""
        return through_own_weights(deepcopy(self.network))

    def state_dict(self) -> dict[str, Any]:
        """Everything the next update depends on."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "losses", "optimiser")}
        return parts | {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update is the one that followed the saved ones."""
        for name in ("network", "losses", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.updates = state["updates"]
