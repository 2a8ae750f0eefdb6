"""MinRed: a memory of frames that are least like one another."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from envs.devices import upload
from streams.pairing.memory import NEVER, Buffer, BufferSettings

SLACK = 1e-6  # by which cosines of the same features may differ


class MinRed(Buffer):
    """A buffer that replaces the row most like another (Purushwalkam et al. 2022, "The challenges of continuous
    self-supervised learning", section 4.1): the one with the most similar nearest
    neighbour, of those already trained on.

    A row's feature is a direction, half of which (EMA .5) is that of its features when it was last trained on. Where
    too few have been trained on, the oldest of the others go. The choice waits for the device, once an insertion.
    """

    asks_for_features = True

    def __init__(self, settings: BufferSettings, *, seed: int = 0):
        super().__init__(settings, seed=seed)
        self.trained: Nearest | None = None  # the rows that have been trained on

    def remember(self, slots: Tensor, features: Tensor) -> None:
        """Takes the features (m, D) of the rows in slots (m,), which are about to be trained on."""
        directions = normalize(features.flatten(1).float(), dim=1)
        if self.trained is None:
            self.trained = Nearest(directions.new_zeros(self.slots, directions.shape[1]))
        before = self.trained.directions[upload(slots, features.device)]  # 0 where there was none
        self.trained.put(slots, normalize(before + directions, dim=1))

    def _places(self, count: int) -> tuple[Tensor, Tensor]:
        free = torch.arange(self.filled, min(self.filled + count, self.slots))
        return torch.cat([free, self._dropped(count - len(free))]), torch.arange(count)

    def _dropped(self, count: int) -> Tensor:
        """(count,) slots to be given to new rows."""
        if not count:
            return torch.arange(0)
        oldest_first = self.since.argsort(stable=True)
        if self.trained is None:
            return oldest_first[:count]
        oldest_first = oldest_first[~self.trained.held[oldest_first]]
        short = max(0, count - int(self.trained.held.sum()))
        return torch.cat([self.trained.drop(count - short), oldest_first[:short]])

    def state_dict(self) -> dict[str, Any]:
        """Returns the buffer's state and the directions of the rows that were trained on."""
        return super().state_dict() | {"trained": self.trained and self.trained.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts a saved state in place of the present one."""
        super().load_state_dict(state)
        if state["trained"] is not None:
            self.trained = Nearest(state["trained"]["directions"])
            self.trained.load_state_dict(state["trained"])


class Nearest:
    """Directions in slots, each with its nearest other, kept up to date as directions change and go.

    Slots that changed are noted. At the next `drop`, those, and those whose nearest changed, are compared with all: one
    matrix product. All others can only have come nearer to one of these.
    """

    def __init__(self, directions: Tensor):
        self.directions = directions  # (M, D) unit, or 0
        self.cosine = directions.new_full((len(directions),), NEVER)  # (M,) with the nearest other
        self.twin = torch.arange(len(directions), device=directions.device)  # (M,) which that is
        self.held = torch.zeros(len(directions), dtype=torch.bool)  # (M,) on the CPU: whether anything is there
        self.moved = torch.zeros(len(directions), dtype=torch.bool)  # (M,) on the CPU: changed since last compared

    def put(self, slots: Tensor, directions: Tensor) -> None:
        """Puts directions (m, D) into slots (m,)."""
        self.directions[upload(slots, directions.device)] = directions
        self.held[slots] = self.moved[slots] = True

    def drop(self, count: int) -> Tensor:
        """Empties the `count` most redundant slots one after another, or all that are held, and returns them.

        Each is the one whose nearest neighbour among those left is most similar; of two, the one in the lower slot.
        That is to go through pairs from the most similar on, and to drop one of each that is still whole. Pairs as
        similar as the nearest of a few slots are looked at, and further ones where those do not suffice.
        """
        dropped: list[int] = []
        while len(dropped) < count:
            self._compare()
            if int(self.held.sum()) == 1:  # no other to be like
                dropped += self._empty(torch.nonzero(self.held)[:, 0].tolist())
                break
            likest = self.cosine.topk(min(4 * count, int(self.held.sum()))).indices
            slots = torch.cat([likest, self.twin[likest]]).unique()
            among = (self.directions[slots] @ self.directions[slots].T).triu_(1)
            one, other = torch.nonzero(among > self.cosine[likest].min() - SLACK, as_tuple=True)
            one, other = (x[one < other] for x in (one, other))
            order = among[one, other].argsort(descending=True, stable=True)
            pairs = slots[torch.stack([one, other])[:, order]].tolist()
            dropped += self._empty(_broken(*pairs, count=count - len(dropped)))
        return torch.tensor(dropped, dtype=torch.int64)

    def _empty(self, slots: list[int]) -> list[int]:
        at = torch.tensor(slots, device=self.directions.device)
        self.directions[at], self.cosine[at] = 0.0, NEVER
        self.held[slots], self.moved[slots] = False, True
        return slots

    def _compare(self) -> None:
        """Updates the nearest neighbours of slots that changed, and of those to which they are nearest now."""
        held, moved = self.held.to(self.twin.device), self.moved.to(self.twin.device)
        rows = torch.nonzero(held & (moved | moved[self.twin]))[:, 0]
        cosines = self.directions[rows] @ self.directions.T  # (m, M)
        cosines.masked_fill_(~held, NEVER)[torch.arange(len(rows), device=rows.device), rows] = NEVER
        self.cosine[rows], self.twin[rows] = cosines.max(1)
        if len(rows):
            cosine, which = cosines.max(0)
            nearer = held & (cosine > self.cosine)
            self.cosine = torch.where(nearer, cosine, self.cosine)
            self.twin = torch.where(nearer, rows[which], self.twin)
        self.moved[:] = False

    def state_dict(self) -> dict[str, Any]:
        """Returns all tensors."""
        return {name: getattr(self, name) for name in ("directions", "cosine", "twin", "held", "moved")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts saved tensors in place of the present ones; masks stay on the CPU."""
        for name, value in state.items():
            setattr(self, name, value.cpu() if name in ("held", "moved") else value)


def _broken(ones: list[int], others: list[int], *, count: int) -> list[int]:
    """The first of each pair that is still whole, going through pairs in order, until there are `count`."""
    gone: dict[int, None] = {}
    for one, other in zip(ones, others, strict=True):
        if one not in gone and other not in gone:
            gone[one] = None
            if len(gone) == count:
                break
    return list(gone)
