"""What an update costs: sweeps through the network, weights, multiplications and stored activations, all counted."""

import weakref
from itertools import pairwise

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from learners.rules.base import Learner
from streams.types import Pairs


def phases(learner: Learner, pairs: Pairs) -> int:
    """How many sweeps up or down the network follow one another in an update; views side by side count as one.

    The order in which blocks run, errors arrive at them and inverses run is written down; a sweep ends where it turns.
    """
    clone, visits = learner.clone_all_blocks(), []  # (what happens, number of the block)

    def listen(number: int, kind: str):
        def hook(_, __, output: Tensor) -> None:
            visits.append((kind, number))
            if kind == "up" and output.requires_grad:
                output.register_hook(lambda error: visits.append(("down", number)))

        return hook

    for number, block in enumerate(clone.network.blocks, 1):
        block.register_forward_hook(listen(number, "up"))
    for number, inverse in enumerate(clone.inverses_of_blocks(), 2):
        inverse.register_forward_hook(listen(number, "inverse"))
    clone.learn(pairs)
    return 1 + sum(a != b for a, b in pairwise(directions(visits)))


def directions(visits: list[tuple[str, int]]) -> list[bool]:
    """For each move from a block to its neighbour, whether it goes up; a sweep's beginning elsewhere is no move."""
    ups = []
    for (kind, block), (next_kind, next_block) in pairwise(visits):
        restarts = kind == next_kind and {"up": next_block < block, "down": next_block > block}.get(kind, False)
        if abs(next_block - block) == 1 and not restarts:
            ups.append(next_block > block)
    return ups


def forward_weights(learner: Learner) -> int:
    """Of the blocks and the head at the top: what any rule needs."""
    modules = [*learner.network.blocks, learner.network.heads[-1]]
    weights = [item for module in modules for item in module.state_dict().items()]
    return sum(weight.numel() for name, weight in weights if not name.endswith("feedback_weight"))


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
    counts = []
    for clone in learner.clones_by_turn():
        with FlopCounterMode(display=False) as counter:
            clone.update(pairs)
        counts.append(counter.get_total_flops() / 2)  # it counts a multiplication and an addition
    return sum(counts) / len(counts) / len(pairs.episode)


def stored_activations(learner: Learner, pairs: Pairs) -> float:
    """Numbers kept for the way back at the fullest moment, a pair; weights not counted; the mean as above."""
    counts = []
    for clone in learner.clones_by_turn():
        counter = SavedTensorCounter({weight.untyped_storage().data_ptr() for weight in all_weights(clone)})
        with saved_tensors_hooks(counter.save, lambda saved: saved.tensor):
            clone.update(pairs)
        counts.append(counter.most)
    return sum(counts) / len(counts) / len(pairs.episode)


class SavedTensorCounter:
    """Counts the elements of tensors that autograd holds, each memory once, and remembers the most."""

    def __init__(self, weights: set[int]):
        self.weights, self.now, self.most = weights, 0, 0
        self.holders: dict[int, int] = {}  # of each memory's address

    def save(self, tensor: Tensor) -> "SavedTensor":
        """Called for every tensor that is saved for the way back; the result lives as long as autograd needs it."""
        memory = tensor.untyped_storage()
        address, size = memory.data_ptr(), memory.nbytes() // tensor.element_size()
        saved = SavedTensor(tensor)
        if address not in self.weights:
            self.holders[address] = self.holders.get(address, 0) + 1
            self.now += size * (self.holders[address] == 1)
            self.most = max(self.most, self.now)
            weakref.finalize(saved, self._release, address, size)
        return saved

    def _release(self, address: int, size: int) -> None:
        self.holders[address] -= 1
        self.now -= size * (self.holders[address] == 0)


class SavedTensor:
    """A saved tensor, in an object whose end can be noticed."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor
