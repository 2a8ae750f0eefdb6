"""What all rules share: a network, a loss for each head, an optimiser, and what diagnostics ask of a rule."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import MISSING
from torch import Tensor, nn

from learners.distributed import Batch, Compared, SharedBatch, check_network, tensors_of
from learners.losses import Report
from learners.losses.base import Loss, losses_of
from learners.networks.feedback import feedback_cosine, feedback_twins, use_own_weights
from learners.networks.images import as_images, check_pairs
from learners.networks.network import Network
from learners.rules.optimizer import OptimizerConfig
from streams.process.modes import eval_mode
from streams.process.ranks import Ranks
from streams.types import Pairs


@dataclass
class LearnerSettings(OptimizerConfig):
    """learner=NAME: a schedule with a feedback, or targets."""

    name: str = MISSING  # a label
    schedule: str = "end_to_end"  # a key of RULES (learners/build.py), or a rule of your own (examples/)
    feedback: str = "backprop"  # backprop, random, updated or sign


class Learner:
    """A network, a loss for each head, an optimiser and a count of updates.

    A rule implements `learn`, which leaves the gradients of an update in the weights. What it draws is a function of
    (seed, name, update).
    """

    settings_type: type[LearnerSettings] = LearnerSettings
    heads = "top"  # which blocks have one: top, or every
    learns = True  # whether weights ever change
    shares_updates = False  # whether what it does depends on how many updates are planned
    without_feedback = ""  # why learner.feedback has no use with this rule

    def __init__(
        self, network: Network, losses: nn.ModuleList, settings: LearnerSettings, *, seed: int = 0, updates: int = 0
    ):
        """`updates` is how many are planned."""
        self.network, self.losses, self.settings, self.seed = network, losses, settings, seed
        slow = any(loss.compares_with == "slow_copy" for loss in losses_of(losses))
        self.slow_copy = deepcopy(network).requires_grad_(False) if slow else None  # follows the network
        self.optimiser = settings.build([*network.parameters(), *losses.parameters()])
        self.updates = 0
        self.ranks, self.negatives = Ranks(), "gathered"
        self.batch = Batch()  # of the present update

    def join(self, ranks: Ranks, *, negatives: str = "gathered") -> None:
        """Learns together with the same learner of other ranks, from rank 0's weights on.

        `negatives` are the rows that a loss compares: gathered from all ranks, or local.

        Raises SettingError: a network or loss that cannot be shared.
        """
        if ranks.size > 1:
            check_network(self.network)
            for loss in losses_of(self.losses):
                loss.check_negatives(negatives)
        self.ranks, self.negatives = ranks, negatives
        ranks.broadcast_(list(tensors_of(self.state_dict())))

    @classmethod
    def check(cls, settings: LearnerSettings, *, spec: Any, size: int) -> None:
        """Raises SettingError where the settings cannot work with a network of that Spec on images of that size."""

    @property
    def loss(self) -> Loss:
        """The loss at the top."""
        return losses_of(self.losses)[-1]

    def update(self, pairs: Pairs) -> Report:
        """One step of learning from a batch of pairs: detached scalars, of which `loss` is one.

        Where no row has a positive (a loss that remembers, at the beginning of an episode), nothing is learned and the
        report is empty.

        Raises SettingError: pairs of other images than the network's.
        """
        check_pairs(pairs, self.network, size=self.network.size)
        self.optimiser.zero_grad()
        self.batch = self.batch_of(pairs)
        report = self.learn(pairs)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.lr_at(self.updates)
        self.step(self.optimiser)
        self.batch.average_buffers(self.losses)
        self._let_copy_follow()
        self.updates += 1
        return report

    def batch_of(self, pairs: Pairs) -> Batch:
        """The batch that these pairs are this rank's part of."""
        return Batch() if self.ranks.size == 1 else SharedBatch(self.ranks, pairs, negatives=self.negatives)

    def step(self, optimiser: torch.optim.Optimizer, *, share: float | None = None) -> None:
        """A step of an optimiser by the gradients of all ranks; every step of every rule is taken here.

        `share` is what this rank has of the rows that the gradients are means over, if not of the batch.
        """
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        twins = feedback_twins(self.network, self.losses, *self.inverses_of_blocks())
        self.batch.average_gradients(weights, share=share, twins=twins)
        for weight in weights:  # a fused optimiser takes the numbers of both as they lie in memory
            if weight.grad is not None and weight.grad.stride() != weight.stride():
                weight.grad = torch.empty_like(weight).copy_(weight.grad)
        optimiser.step()

    @torch.no_grad()
    def _let_copy_follow(self) -> None:
        """The slow copy's weights come nearer to the network's: `w' = m w' + (1 - m) w`."""
        if self.slow_copy is not None:
            for slow, weight in zip(self.slow_copy.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(weight, 1 - self.loss.momentum)

    @torch.no_grad()
    def others(self, pairs: Pairs) -> list[tuple[Tensor, Tensor] | None]:
        """For each head what its loss compares with besides: embeddings (B, D) of both views, or None."""
        wanted, count = self.loss.compares_with, len(self.losses)
        if not wanted or pairs.first is None:
            return [None] * count
        if wanted == "slow_copy":
            assert self.slow_copy is not None
            views = [self.slow_copy.embeddings(images) for images in (pairs.first, pairs.second)]
            return list(zip(*views, strict=True))
        return [(self.network.embed(pairs.first), self.network.embed(pairs.second))] * count

    def compare(
        self, loss: Loss, u: Tensor | None, v: Tensor, *, pairs: Pairs, others: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Report]:
        """The loss of a head's embeddings u, v (B, D) of these pairs, and its report."""
        (head,) = self.batch.gathered([Compared(u, v, pairs, others)])
        return loss_of(loss, head)

    def keep(self, loss: Loss, v: Tensor, *, pairs: Pairs) -> None:
        """Has a head's loss take note of embeddings v (B, D) of these pairs that are not learned from."""
        (head,) = self.batch.gathered([Compared(None, v, pairs)])
        loss.keep(head.v, episode=head.pairs.episode)

    def learn(self, pairs: Pairs) -> Report:
        """Leaves the gradients of this update in the network's parameters."""
        raise NotImplementedError

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) or (B, H, W, 3), uint8 or float in [0, 1], to features (B, D).

        Raises SettingError: images of another shape or size.
        """
        with eval_mode(self.network):
            return self.network(as_images(images, self.network, size=self.network.size))

    @torch.no_grad()
    def encode_blocks(self, images: Tensor) -> list[Tensor]:
        """The output (B, C, H, W) of every block, the last of which `encode` flattens; it takes the same images."""
        with eval_mode(self.network):
            return self.network.outputs(as_images(images, self.network, size=self.network.size))

    def trainable(self) -> nn.Module:
        """A copy of the encoder, from images to the same features, that learns by true backpropagation."""
        return use_own_weights(deepcopy(self.network))

    def row_factors(self, pairs: Pairs) -> list[Tensor] | None:
        """What each row's inputs are multiplied with in an update, (B, ...) a layer, of a rule without errors.

        None where these are the errors that arrive at the blocks.
        """
        return None

    def inverses_of_blocks(self) -> list[nn.Module]:
        """The modules that carry targets down from block 2, 3, ...; most rules have none."""
        return []

    def clone_all_blocks(self) -> "Learner":
        """A copy in which every block learns at every update, whatever the schedule."""
        return deepcopy(self)

    def clones_by_turn(self) -> Sequence["Learner"]:
        """A copy for each set of blocks that an update may teach; here one, for all learn at once."""
        return [self.clone_all_blocks()]

    def clone_with_backprop(self) -> "Learner":
        """A copy in which errors cross every layer by its own weights."""
        clone = deepcopy(self)
        for part in (clone.network, clone.losses):
            use_own_weights(part)
        return clone

    def own_objective(self) -> "Learner | None":
        """A copy that follows the true gradient of the rule's own losses; None where that is the loss at the top."""
        return None

    def feedback_alignment(self, pairs: Pairs) -> list[dict[str, Tensor]]:
        """For each block, the cosine of its weights (of its head's too, if it has one) with their feedback weights."""
        blocks, heads = self.network.blocks, self.network.heads
        rows = [{"feedback": feedback_cosine(block)} for block in blocks]
        for row, head in zip(rows[-len(heads) :], heads, strict=True):
            row["head_feedback"] = feedback_cosine(head)
        return rows

    def state_dict(self) -> dict[str, Any]:
        """Everything the next update depends on."""
        return {name: getattr(self, name).state_dict() for name in self._parts()} | {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update is the one that followed the saved ones."""
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])
        self.updates = state["updates"]

    def _parts(self) -> list[str]:
        """The attributes that have a state."""
        return ["network", "losses", "optimiser", *(["slow_copy"] if self.slow_copy is not None else [])]


def loss_of(loss: Loss, head: Compared) -> tuple[Tensor, Report]:
    """A head's loss of what it compares, and its report, which is empty where no row has a positive."""
    more = {} if head.others is None else {"others": head.others}
    value, report = loss(head.u, head.v, episode=head.pairs.episode, gap=head.pairs.gap, **more)
    return value, report | head.report if report else report
