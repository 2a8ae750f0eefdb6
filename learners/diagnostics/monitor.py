"""What goes on inside a network that learns: collapse, sizes of steps, and how near a rule is to the true gradient.

All is measured on a probe batch by copies of the learner, so that nothing that the next update depends on is touched.
The true gradient is that of backpropagation through the same forward weights: of the rule's own objective (for
layer-wise rules each block's own loss) and of the loss at the top of the whole network.
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from envs.devices import upload
from learners.losses import Report
from learners.losses.base import mean_distances
from learners.networks.feedback import Layer, use_own_weights
from learners.networks.network import Network, eval_mode
from learners.rules.base import Learner
from learners.rules.end_to_end import EndToEnd, Untrained
from learners.rules.layerwise import LayerWise
from learners.rules.schedules import simultaneous
from learners.rules.target_prop import TargetProp, noise_like
from streams.seeding import generator
from streams.types import Pairs

NUDGE = 1e-2  # of an activity, when the way an inverse carries it back is measured


@dataclass
class MonitorSettings:
    """When the network itself is looked at: ranks, norms, and the alignment of its updates with the gradient"""

    every: int | None = None  # frames between two looks; 0 for none at all; at every evaluation where not given


def watch(learner: Learner, pairs: Pairs) -> dict[str, dict[str, float]]:
    """One row of each of the series `watch/blockN` and `alignment/blockN`; waits for the device once, at the end.

    watch: the report of the block's loss (`loss`, `active`, ...; a loss at the top is the last block's),
    `positive_distance` and `negative_distance` of the embeddings of every block that has a head (see `pair_distances`),
    `effective_rank` of its output, `weight_norm`, and `update_norm` of what one update would change in it.
    alignment: cosines of the block's update, before the optimiser, with `own_gradient` and `top_gradient`; and of its
    `feedback` with its forward weights (target propagation: of what its inverse and what backpropagation carry back).
    """
    before = [flat(weights_of(block)).detach() for block in learner.network.blocks]
    copy = clone_all_blocks(learner)
    report = copy.update(pairs)
    after = [flat(weights_of(block)).detach() for block in copy.network.blocks]
    first, second = (activities(learner.network, images) for images in (pairs.first, pairs.second))
    distances = pair_distances(learner, first, second, episode=pairs.episode)
    found = {}
    for number, (old, new, h) in enumerate(zip(before, after, second, strict=True), 1):
        sizes = {"effective_rank": effective_rank(h.flatten(1))}
        sizes |= {"weight_norm": old.norm(), "update_norm": (new - old).norm()}
        found[f"watch/block{number}"] = distances[number - 1] | of_block(report, number, len(before)) | sizes
    if not isinstance(learner, Untrained):
        for number, row in enumerate(alignments(learner, pairs, updates=block_gradients(copy)), 1):
            found[f"alignment/block{number}"] = row
    return numbers(found)


def effective_rank(features: Tensor) -> Tensor:
    """exp of the entropy of the singular values' shares (Roy and Vetterli 2007, "The effective rank"), of (B, D).

    Features are centred first: the same for every input they have rank 0 (told as 1), and the most is B - 1.
    """
    x = features.double() - features.double().mean(0)
    gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    values = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    shares = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    return torch.special.entr(shares).sum().exp()


@torch.no_grad()
def pair_distances(learner: Learner, first: list[Tensor], second: list[Tensor], *, episode: Tensor) -> list[Report]:
    """Of each block the mean distance of a pair's embeddings, and of those of different episodes (0 without any).

    Each in the space in which the block's loss compares: L1 of the embeddings as they are for the hinge, L2 for all
    others, for NT-Xent of them normalised, for CLAPP of its prediction and the later view, for Barlow Twins of them
    standardised over the batch. What a hinge reports of the distances that it compared goes before. A block without a
    head compares nothing. `first` and `second` are the views' activities (B, C, H, W) in each block.
    """
    heads, episode = learner.network.heads, upload(episode, first[-1].device)
    found = [{} for _ in range(len(first) - len(heads))]
    for head, loss, *views in zip(heads, learner.losses, first[len(found) :], second[len(found) :], strict=True):
        distance = loss.distances(*map(head, views))  # (B, B)
        found.append(mean_distances(distance, distance.diagonal(), episode[:, None] != episode))
    return found


def alignments(learner: Learner, pairs: Pairs, *, updates: list[Tensor] | None = None) -> list[dict[str, Tensor]]:
    """Of each block, the cosines of its update with the true gradients, and of its feedback.

    `updates` are the gradients of the rule's own update, where one was made already.
    """
    updates = updates or gradients(clone_all_blocks(learner), pairs)
    top = gradients(end_to_end(by_backprop(learner)), pairs)
    own = gradients(clone_all_blocks(by_backprop(learner)), pairs) if isinstance(learner, LayerWise) else top
    carried = feedback_alignment(learner, pairs)
    return [
        {"own_gradient": cosine(update, a), "top_gradient": cosine(update, b)} | back
        for update, a, b, back in zip(updates, own, top, carried, strict=True)
    ]


def feedback_alignment(learner: Learner, pairs: Pairs) -> list[dict[str, Tensor]]:
    """Of each block, the cosine of the weights (its layers' and, where it has one, its head's) with their feedback."""
    if isinstance(learner, TargetProp):
        return inverse_alignment(learner, pairs)
    heads = learner.network.heads
    first = len(learner.network.blocks) - len(heads)  # that has a head
    found = []
    for number, block in enumerate(learner.network.blocks):
        row = {"feedback": weight_feedback_alignment(block)}
        if number >= first:
            row["head_feedback"] = weight_feedback_alignment(heads[number - first])
        found.append(row)
    return found


def inverse_alignment(learner: TargetProp, pairs: Pairs) -> list[dict[str, Tensor]]:
    """Of each block but the first, the cosine of `G(h + d) - G(h)` with `J_F^T d`, d a small random nudge."""
    h = activities(learner.network, pairs.second)
    found = [{}]
    for number, (block, inverse) in enumerate(zip(learner.network.blocks[1:], learner.inverses, strict=True), 1):
        nudge = NUDGE * noise_like(h[number], generator(0, "watch", number, device=h[number].device))
        with torch.no_grad():
            carried = inverse(h[number] + nudge) - inverse(h[number])
        below = h[number - 1].clone().requires_grad_()
        with eval_mode(block):
            (true,) = torch.autograd.grad(block(below), below, nudge)
        found.append({"feedback": cosine(carried, true)})
    return found


def gradients(learner: Learner, pairs: Pairs) -> list[Tensor]:
    """What an update leaves as the gradient of each block's weights, flat. The learner is a copy."""
    learner.optimiser.zero_grad()
    learner.learn(pairs)
    return block_gradients(learner)


def block_gradients(learner: Learner) -> list[Tensor]:
    """The gradient of each block's weights that an update has left, flat."""
    return [flat([weight.grad for weight in weights_of(block)]) for block in learner.network.blocks]


@torch.no_grad()
def activities(network: Network, images: Tensor) -> list[Tensor]:
    """The output of each block, and nothing else changes."""
    with eval_mode(network):
        return network.outputs(images)


def clone_all_blocks(learner: Learner) -> Learner:
    """A copy of which every block learns at every update, whatever the schedule."""
    copy = deepcopy(learner)
    if isinstance(copy, LayerWise):
        copy.schedule = simultaneous(len(copy.network.blocks))
    return copy


def end_to_end(copy: Learner) -> Learner:
    """A learner, which is a copy, that from now on has its loss at the top alone, whatever its rule was."""
    copy.__class__ = EndToEnd  # the same network, loss and optimiser: all that the rules share
    return copy


def by_backprop(learner: Learner) -> Learner:
    """A copy whose errors cross every layer by its own weights."""
    copy = deepcopy(learner)
    for part in (copy.network, copy.losses):
        use_own_weights(part)
    return copy


def of_block(report: dict[str, Tensor], number: int, blocks: int) -> dict[str, Tensor]:
    """What a report says of block `number`; what it says of none is the last one's, less what that has itself."""
    found = {name: value for name, value in report.items() if "/" not in name} if number == blocks else {}
    start = f"block{number}/"
    return found | {name.removeprefix(start): value for name, value in report.items() if name.startswith(start)}


def weights_of(module: nn.Module) -> list[Tensor]:
    """The forward weights: parameters less those that carry errors back."""
    return [weight for name, weight in module.named_parameters() if name.rpartition(".")[2] != "feedback_weight"]


def weight_feedback_alignment(module: nn.Module) -> Tensor:
    """The cosine of all layers' weights with those that carry errors back across them."""
    layers = [layer for layer in module.modules() if isinstance(layer, Layer)]
    return cosine(flat([layer.weight for layer in layers]), flat([layer.error_weight() for layer in layers])).detach()


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Of two tensors as vectors; 0 where one is 0."""
    return cosine_similarity(a.flatten(), b.flatten(), dim=0)


def flat(tensors: list[Tensor]) -> Tensor:
    """All the elements in one vector."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def numbers(groups: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, float]]:
    """The same with floats, by one transfer."""
    values = iter(torch.stack([value.double() for group in groups.values() for value in group.values()]).tolist())
    return {name: {inner: next(values) for inner in group} for name, group in groups.items()}
