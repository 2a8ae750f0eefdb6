"""What an update costs: sweeps through the network, weights, multiplications and stored activations, all counted."""

import weakref
from itertools import pairwise

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from learners.diagnostics.monitor import clone_all_blocks
from learners.rules.base import Learner
from learners.rules.layerwise import LayerWise
from streams.types import Pairs


def phases(learner: Learner, pairs: Pairs) -> int:
    """How many sweeps up or down the network follow one another in an update; views side by side count as one.

    The order in which blocks run, errors arrive at them and inverses run is written down; a sweep ends where it turns.
    """
    copy, visits = clone_all_blocks(learner), []  # (what happens, number of the block)

    def listen(number: int, kind: str):
        def hook(_, __, output: Tensor) -> None:
            visits.append((kind, number))
            if kind == "up" and output.requires_grad:
                output.register_hook(lambda error: visits.append(("down", number)))

        return hook

    for number, block in enumerate(copy.network.blocks, 1):
        block.register_forward_hook(listen(number, "up"))
    for number, inverse in enumerate(getattr(copy, "inverses", ()), 2):
        inverse.register_forward_hook(listen(number, "inverse"))
    copy.learn(pairs)
    return 1 + sum(a != b for a, b in pairwise(directions(visits)))


def directions(visits: list[tuple[str, int]]) -> list[bool]:
    """Whether it goes up, of each move from a block to its neighbour; a sweep's beginning elsewhere is no move."""
    found = []
    for (kind, block), (then, following) in pairwise(visits):
        again = kind == then and {"up": following < block, "down": following > block}.get(kind, False)
        if abs(following - block) == 1 and not again:
            found.append(following > block)
    return found


def forward_weights(learner: Learner) -> int:
    """Of the blocks and the head at the top: what any rule needs."""
    modules = [*learner.network.blocks, learner.network.heads[-1]]
    return sum(
        weight.numel()
        for module in modules
        for name, weight in module.state_dict().items()
        if not name.endswith("feedback_weight")
    )


def extra_weights(learner: Learner) -> int:
    """What a rule keeps beyond the forward weights: feedback, heads of lower blocks, inverses, a loss's matrices."""
    return sum(value.numel() for value in all_weights(learner)) - forward_weights(learner)


def all_weights(learner: Learner) -> list[Tensor]:
    """Every weight that a learner keeps, of whatever use."""
    return [value for part in parts(learner) for value in (*part.parameters(), *part.buffers())]


def parts(learner: Learner) -> list[nn.Module]:
    """The modules that a learner keeps its weights in."""
    return [part for part in vars(learner).values() if isinstance(part, nn.Module)]


def macs(learner: Learner, pairs: Pairs) -> float:
    """Multiplications of an update and a pair, by convolutions and matrices; the mean over what a schedule may draw."""
    found = []
    for copy in each_turn(learner):
        with FlopCounterMode(display=False) as counter:
            copy.update(pairs)
        found.append(counter.get_total_flops() / 2)  # it counts a multiplication and an addition
    return sum(found) / len(found) / len(pairs.episode)


def stored_activations(learner: Learner, pairs: Pairs) -> float:
    """Numbers kept for the way back at the fullest moment, a pair; weights not counted; the mean as above."""
    found = []
    for copy in each_turn(learner):
        held = SavedTensorCounter({weight.untyped_storage().data_ptr() for weight in all_weights(copy)})
        with saved_tensors_hooks(held.keep, lambda kept: kept.tensor):
            copy.update(pairs)
        found.append(held.most)
    return sum(found) / len(found) / len(pairs.episode)


class SavedTensorCounter:
    """Counts the elements of tensors that autograd holds, each memory once, and remembers the most."""

    def __init__(self, weights: set[int]):
        self.weights, self.holders, self.now, self.most = weights, {}, 0, 0

    def keep(self, tensor: Tensor) -> "SavedTensor":
        """Called for every tensor that is saved for the way back; `SavedTensor` lives as long as autograd needs it."""
        memory = tensor.untyped_storage()
        place, size = memory.data_ptr(), memory.nbytes() // tensor.element_size()
        kept = SavedTensor(tensor)
        if place not in self.weights:
            self.holders[place] = self.holders.get(place, 0) + 1
            self.now += size * (self.holders[place] == 1)
            self.most = max(self.most, self.now)
            weakref.finalize(kept, self._let_go, place, size)
        return kept

    def _let_go(self, place: int, size: int) -> None:
        self.holders[place] -= 1
        self.now -= size * (self.holders[place] == 0)


class SavedTensor:
    """A saved tensor, in an object whose end can be noticed."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor


def each_turn(learner: Learner) -> list[Learner]:
    """A copy for each block that the schedule may have learn alone, or one copy where all learn at once."""
    blocks = len(learner.network.blocks)
    if not isinstance(learner, LayerWise) or len(learner.schedule(0)) == blocks:
        return [clone_all_blocks(learner)]
    copies = [clone_all_blocks(learner) for _ in range(blocks)]
    for number, copy in enumerate(copies):
        copy.schedule = lambda update, number=number: range(number, number + 1)
    return copies
