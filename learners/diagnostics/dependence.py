"""What a rule uses, found out by changing things and looking whether its updates change. Nothing here asks its name."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from learners.diagnostics.monitor import gradients
from learners.networks.blocks import blocks_of, reader
from learners.networks.feedback import Conv, Layer, layers_of
from learners.networks.network import Network
from learners.rules.base import Learner
from streams.process.modes import eval_mode
from streams.types import Pairs

SAME = 1e-9  # relative change of an update in float64 that is rounding


def weight_transport(learner: Learner, pairs: Pairs) -> str:
    """Whether updates depend on forward weights above them otherwise than through the activities: no, head or blocks.

    Weights are changed where no activity on these pairs shows it (those of the heads, then those of the blocks), so
    that what still changes in an update is the way that its error, or target, came down.
    """
    before = layer_gradients(learner.clone_all_blocks(), pairs)
    for first in range(1, len(before)):  # from which the layers are changed; those below may notice
        clone = hide_a_change(learner, pairs, partial(layers_above, first))
        if any(map(differ, before[:first], layer_gradients(clone, pairs))):
            return "blocks"
    clone = hide_a_change(learner, pairs, lambda network: layers_of(network.heads))
    return "head" if any(map(differ, before, layer_gradients(clone, pairs))) else "no"


def layers_above(first: int, network: Network) -> list[Layer]:
    """The layers of the blocks from number `first`, counted from 0, up."""
    return layers_of(network.blocks)[first:]


def layer_gradients(clone: Learner, pairs: Pairs) -> list[Tensor]:
    """What an update leaves as the gradient of each layer of the blocks."""
    gradients(clone, pairs)
    grads = [layer.weight.grad for layer in layers_of(clone.network.blocks)]
    return [grad for grad in grads if grad is not None]


def update_locking(learner: Learner, pairs: Pairs) -> bool:
    """Whether a block's update waits for later blocks: whether it changes when a later block, or its head, does."""
    before = gradients(learner.clone_all_blocks(), pairs)
    blocks, heads = learner.network.blocks, learner.network.heads
    for number in range(1, len(blocks)):
        clone = learner.clone_all_blocks()
        later = [*clone.network.blocks[number:], *clone.network.heads[max(0, number - len(blocks) + len(heads)) :]]
        for layer in [layer for module in later for layer in layers_of(module)]:
            layer.weight.data = other_weights(layer.weight)
        after = gradients(clone, pairs)
        if any(map(differ, before[:number], after[:number])):
            return True
    return False


def other_rows(learner: Learner, pairs: Pairs) -> bool:
    """Whether a row's own part of an update changes when another row of the batch shows something else.

    A row's part is the error that arrives at a block's output: what it is multiplied with is the row's own activity.
    """
    first, second = pairs[:2]
    changed = pairs._replace(second=torch.cat([second[:-1], 1 - second[-1:]]))  # in the last row
    if first is not None:
        changed = changed._replace(first=torch.cat([first[:-1], 1 - first[-1:]]))
    rows = len(pairs.episode)
    for before, after in zip(errors_at(learner, pairs), errors_at(learner, changed), strict=True):
        kept = [error.unflatten(0, (-1, rows))[:, :-1] for error in (before, after)]
        if differ(*kept):
            return True
    return False


def errors_at(learner: Learner, pairs: Pairs) -> list[Tensor]:
    """The error at the output of each block in one update, (views * B, ...) for each time that it ran.

    Of a rule without errors, what its inputs are multiplied with instead.
    """
    clone = learner.clone_all_blocks()
    own = clone.row_factors(pairs)
    if own is not None:
        return own
    errors: dict[nn.Module, dict[int, Tensor]] = defaultdict(dict)

    def listen(block: nn.Module, _, output: Tensor) -> None:
        if output.requires_grad:
            run = len(errors[block])
            errors[block][run] = torch.zeros_like(output)
            output.register_hook(lambda error: errors[block].update({run: error.clone()}))

    for block in map(reader, blocks_of(clone.network.blocks)):
        block.register_forward_hook(listen)
    clone.optimiser.zero_grad()
    clone.learn(pairs)
    return [error for block in map(reader, blocks_of(clone.network.blocks)) for error in errors[block].values()]


def hide_a_change(learner: Learner, pairs: Pairs, choose: Callable[[Network], list[Layer]]) -> Learner:
    """A copy some of whose layers are changed in such a way that they do the same to these pairs."""
    clone, inputs = learner.clone_all_blocks(), defaultdict(list)
    layers = choose(clone.network)
    hooks = [layer.register_forward_hook(lambda of, x, _: inputs[of].append(x[0])) for layer in layers]
    with torch.no_grad(), eval_mode(clone.network):
        clone.network.embeddings(torch.cat([x for x in pairs[:2] if x is not None]))
    for hook in hooks:
        hook.remove()
    for layer in filter(inputs.get, layers):
        rows = torch.cat([rows_of(layer, x) for x in inputs[layer]])
        _, sizes, axes = torch.linalg.svd(rows, full_matrices=False)
        axes = axes[sizes > 1e-10 * sizes[0]]  # the span of all that the layer sees
        assert len(axes) < rows.shape[1], "these pairs fill the layer's whole input; audit with fewer or plainer ones"
        change = other_weights(layer.weight).flatten(1)
        with torch.no_grad():
            layer.weight.add_((change - change @ axes.T @ axes).view_as(layer.weight))
    return clone


def rows_of(layer: Layer, x: Tensor) -> Tensor:
    """What each position's weights are multiplied with, (positions, inputs)."""
    if not isinstance(layer, Conv):
        return x
    stride, padding = layer.geometry()
    patches = nn.functional.unfold(layer.padded(x), layer.weight.shape[-1], padding=padding, stride=stride)
    return patches.transpose(1, 2).flatten(0, 1)


def other_weights(weight: Tensor) -> Tensor:
    """Other weights of the same shape and size, always the same."""
    draws = torch.Generator().manual_seed(0)
    return torch.randn(weight.shape, dtype=weight.dtype, generator=draws) * weight.detach().std()


def differ(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors differ by more than rounding. Raises AssertionError: the first is zero and says nothing."""
    assert a.any(), "an update is zero on these pairs, so that nothing can be said of what it depends on"
    return bool((a - b).norm() > SAME * a.norm())
