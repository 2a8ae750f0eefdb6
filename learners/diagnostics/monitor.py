"""What goes on inside a network that learns: collapse, sizes of updates, and how near a rule is to the true gradient.

All is measured on a fixed batch by clones of the learner, so that nothing that the next update depends on is touched.
The true gradient is that of backpropagation through the same forward weights: of the rule's own objective (for
layer-wise rules each block's own loss) and of the loss at the top of the whole network.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from envs.devices import upload
from learners.losses import Report
from learners.losses.base import losses_of, mean_distances
from learners.networks.feedback import cosine, flat
from learners.networks.network import Network
from learners.rules.base import Learner
from learners.rules.end_to_end import EndToEnd
from streams.process.modes import eval_mode
from streams.types import Pairs


@dataclass
class MonitorSettings:
    """When the network itself is looked at: ranks, norms, and the alignment of its updates with the gradient."""

    every: int | None = None  # frames between two looks; 0 for none at all; at every evaluation where not given


def monitor(learner: Learner, pairs: Pairs) -> dict[str, dict[str, float]]:
    """One row of each of the series `watch/blockN` and `alignment/blockN`; waits for the device once, at the end.

    watch: the report of the block's loss (`loss`, `active`, ...; a loss at the top is the last block's),
    `positive_distance` and `negative_distance` of the embeddings of every block that has a head (see `pair_distances`),
    `effective_rank` of its output, `weight_norm`, and `update_norm` of what one update would change in it.
    alignment: cosines of the block's update, before the optimiser, with `own_gradient` and `top_gradient`; and of its
    `feedback` with its forward weights (target propagation: of what its inverse and what backpropagation carry back).
    """
    before = [flat(weights_of(block)).detach() for block in learner.network.blocks]
    clone = learner.clone_all_blocks()
    report = clone.update(pairs)
    after = [flat(weights_of(block)).detach() for block in clone.network.blocks]
    assert pairs.first is not None
    first, second = (readings(learner.network, images) for images in (pairs.first, pairs.second))
    reads = [[read for read, _ in each] for each in (first, second)]
    distances = pair_distances(learner, *reads, episode=pairs.episode)
    rows: dict[str, Report] = {}
    for number, (old, new, (_, h)) in enumerate(zip(before, after, second, strict=True), 1):
        sizes = {"effective_rank": effective_rank(h.flatten(1))}
        sizes |= {"weight_norm": old.norm(), "update_norm": (new - old).norm()}
        rows[f"watch/block{number}"] = distances[number - 1] | of_block(report, number, len(before)) | sizes
    if learner.learns:
        for number, row in enumerate(alignments(learner, pairs, updates=block_gradients(clone)), 1):
            rows[f"alignment/block{number}"] = row
    return as_floats(rows)


def effective_rank(features: Tensor) -> Tensor:
    """exp of the entropy of the singular values' shares (Roy and Vetterli 2007, "The effective rank"), of (B, D).

    Features are centred first: the same for every input they have rank 0 (reported as 1), and the most is B - 1.
    """
    x = features.double() - features.double().mean(0)
    gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    values = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    shares = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    return torch.special.entr(shares).sum().exp()


@torch.no_grad()
def pair_distances(learner: Learner, first: list[Tensor], second: list[Tensor], *, episode: Tensor) -> list[Report]:
    """For each block the mean distance of a pair's embeddings, and of those of different episodes (0 without any).

    Each in the space in which the block's loss compares: L1 of the embeddings as they are for the hinge, L2 for all
    others, for NT-Xent of them normalised, for CLAPP of its prediction and the later view, for Barlow Twins of them
    standardised over the batch. A block without a head compares nothing. `first` and `second` are what the heads read
    (B, C, H, W) of the views in each block.
    """
    heads, episode = learner.network.heads, upload(episode, first[-1].device)
    without = len(first) - len(heads)
    rows: list[Report] = [{} for _ in range(without)]
    for head, loss, *views in zip(heads, losses_of(learner.losses), first[without:], second[without:], strict=True):
        distance = loss.distances(*map(head, views))  # (B, B)
        rows.append(mean_distances(distance, distance.diagonal(), episode[:, None] != episode))
    return rows


def alignments(learner: Learner, pairs: Pairs, *, updates: list[Tensor] | None = None) -> list[Report]:
    """Cosines of each block's update (`updates`, if already made) with the true gradients, and of its feedback."""
    updates = updates or gradients(learner.clone_all_blocks(), pairs)
    true = learner.clone_with_backprop()
    top = gradients(EndToEnd(true.network, true.losses, true.settings), pairs)
    objective = learner.own_objective()
    own = top if objective is None else gradients(objective, pairs)
    return [
        {"own_gradient": cosine(update, a), "top_gradient": cosine(update, b)} | feedback
        for update, a, b, feedback in zip(updates, own, top, learner.feedback_alignment(pairs), strict=True)
    ]


def gradients(clone: Learner, pairs: Pairs) -> list[Tensor]:
    """What an update leaves as the gradient of each block's weights, flat."""
    clone.optimiser.zero_grad()
    clone.learn(pairs)
    return block_gradients(clone)


def block_gradients(learner: Learner) -> list[Tensor]:
    """The gradient of each block's weights that an update has left, flat."""
    blocks = map(weights_of, learner.network.blocks)
    return [flat(weight.grad for weight in weights if weight.grad is not None) for weights in blocks]


@torch.no_grad()
def readings(network: Network, images: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What each block's head reads, and the block's output, and nothing else changes."""
    with eval_mode(network):
        return network.readings(images)


def of_block(report: Report, number: int, blocks: int) -> Report:
    """A report's entries about block `number`; those about no block are the last one's, less what that has itself."""
    whole = {name: value for name, value in report.items() if "/" not in name} if number == blocks else {}
    start = f"block{number}/"
    return whole | {name.removeprefix(start): value for name, value in report.items() if name.startswith(start)}


def weights_of(module: nn.Module) -> list[Tensor]:
    """The forward weights: parameters less those that carry errors back."""
    return [weight for name, weight in module.named_parameters() if name.rpartition(".")[2] != "feedback_weight"]


def as_floats(rows: dict[str, Report]) -> dict[str, dict[str, float]]:
    """The same rows with floats, by one transfer from the device."""
    values = iter(torch.stack([value.double() for row in rows.values() for value in row.values()]).tolist())
    return {series: {name: next(values) for name in row} for series, row in rows.items()}
