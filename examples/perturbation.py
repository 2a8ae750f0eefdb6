"""A rule of one's own: a class with `learn`, and examples/conf/learner/perturbation.yaml, which names it.

python -m learners.online 'hydra.searchpath=[examples/conf]' learner=perturbation

`learn` leaves the gradients of an update in the weights and reports what to watch; the optimiser, resuming and scoring
are taken care of. Its settings are a dataclass: those of every rule, and its own.
"""

from dataclasses import dataclass

import torch

from envs.errors import SettingError
from learners.losses import Remembered, Report
from learners.rules.base import LearnerSettings
from learners.rules.end_to_end import EndToEnd
from streams.seeding import generator
from streams.types import Pairs


@dataclass
class PerturbationSettings(LearnerSettings):
    """learner=perturbation."""

    sigma: float = 1e-3  # std of what is added to each weight


class WeightPerturbation(EndToEnd):
    """`dW = (L(W + sigma X) - L(W - sigma X)) / (2 sigma) X`, X normal (Spall 1992).

    No error goes anywhere: all weights are nudged together, and kept where the loss fell. It is slow.
    """

    settings: PerturbationSettings
    settings_type = PerturbationSettings

    def __init__(self, network, losses, settings: PerturbationSettings, **keywords):
        super().__init__(network, losses, settings, **keywords)
        if isinstance(self.loss, Remembered):
            raise SettingError("learner=perturbation looks twice at every pair; set loss=hinge_stop_gradient")

    @torch.no_grad()
    def learn(self, pairs: Pairs) -> Report:
        """Leaves the estimate of the gradient in every weight."""
        weights, sigma = list(self.network.parameters()), self.settings.sigma
        draws = generator(self.seed, "perturbation", self.updates, device=weights[0].device)
        nudges = [torch.empty_like(weight).normal_(generator=draws) for weight in weights]
        losses = []
        for step in (1, -2):  # to one side, then to the other
            torch._foreach_add_(weights, nudges, alpha=step * sigma)
            views = self.embed(pairs.first), self.embed(pairs.second)
            losses.append(self.compare(self.loss, *views, pairs=pairs, others=None))
        torch._foreach_add_(weights, nudges, alpha=sigma)  # back to the middle
        (above, _), (below, report) = losses
        for weight, nudge in zip(weights, nudges, strict=True):
            weight.grad = (above - below) / (2 * sigma) * nudge
        return report
