"""The hinge in a stream: every frame passes through the network once, and what it is compared with is remembered."""

from typing import Any

import torch
from torch import Tensor

from envs.devices import upload
from envs.errors import SettingError
from learners.losses.base import Loss, Report
from learners.losses.hinge import Hinge


class Remembered(Loss):
    """A hinge on stored embeddings (Tang et al. 2022, section 2.1: remembered post-synaptic activity).

    The positive of a frame's embedding is that of the same world `gap` moments ago, where it shows the same episode;
    its negatives are the last embeddings of the last n episodes that ended, each counting 1/n, or with `negatives=0`
    the positives of the other worlds. Call it once a moment, with every world's embedding in order. Where the earlier
    view is given all the same (u is not None), this is the plain hinge, and nothing is remembered.
    """

    stop_gradient = True

    def __init__(self, hinge: Hinge, *, longest_gap: int):
        """`longest_gap` is the longest ever asked for. Raises SettingError: a hinge of which both views learn."""
        super().__init__()
        if not hinge.stop_gradient:
            raise SettingError(
                "loss.remember=true has a remembered earlier view, through which no error goes; try "
                "loss=hinge_remembered, or set loss.stop_gradient=true loss.anchors=first"
            )
        self.hinge, self.bank = hinge, MemoryBank(longest_gap, hinge.settings.negatives)
        self.rows = 0  # that had a positive at the last moment

    def check_negatives(self, negatives: str) -> None:
        """Raises SettingError: a rank's own rows, which may be none at an episode's beginning, as others' are not."""
        if negatives == "local":
            raise SettingError(
                "distributed.negatives=local has no use with loss.remember=true, where a rank may have no row to learn "
                "from while others have; set distributed.negatives=gathered"
            )

    def forward(
        self, u: Tensor | None, v: Tensor, *, episode: Tensor, gap: Tensor | None = None
    ) -> tuple[Tensor, Report]:
        """The loss of v (N, D), the present embeddings of N worlds; no report, where none has a positive yet."""
        if u is not None:
            self.rows = len(u)
            return self.hinge(u, v, episode=episode)
        assert gap is not None
        rows, before = self.bank.before(gap, episode)
        self.rows = len(rows)
        result = self._compare(before, v, episode, rows) if self.rows else (v.new_zeros(()), {})
        self.keep(v, episode=episode)
        return result

    def _compare(self, before: Tensor, v: Tensor, episode: Tensor, rows: Tensor) -> tuple[Tensor, Report]:
        at = upload(rows, v.device)
        before, v, episode = before[at], v[at], episode[rows]
        if not self.hinge.settings.negatives:
            return self.hinge(before, v, episode=episode)
        others, of = self.bank.ended()
        negative = upload(episode[:, None] != of, v.device)  # (B, n)
        return self.hinge.from_distances(self.distances(v, others), (before - v).abs().sum(1), negative)

    def keep(self, v: Tensor, *, episode: Tensor) -> None:
        """Remembers the embeddings (N, D) of a step without learning from them."""
        self.bank.add(v.detach(), episode)

    def distances(self, u: Tensor, v: Tensor) -> Tensor:
        """(B, B) as of the hinge."""
        return self.hinge.distances(u, v)

    def terms(self, pairs: int) -> int:
        """How many rows had a positive at the last moment."""
        return self.hinge.terms(self.rows)

    def get_extra_state(self) -> dict[str, Any]:
        """What is remembered, as part of the module's state."""
        return self.bank.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Puts back what was remembered."""
        self.bank.load_state_dict(state)


class MemoryBank:
    """Embeddings of the last moments of N worlds, and the last embedding of each of the last episodes that ended.

    Which episodes they show is kept on the CPU, where streams tell it, so that nothing waits for the device.
    """

    def __init__(self, longest_gap: int, episodes: int):
        self.longest_gap, self.episodes = longest_gap, episodes
        self.count = 0  # moments so far
        self.moments = torch.empty(0)  # (longest_gap, N, D), moment s in slot s % longest_gap
        self.shown = torch.empty(0)  # (longest_gap, N) int64: the episode of each, -1 where nothing has been yet
        self.ends = 0  # episodes that ended so far
        self.last = torch.empty(0)  # (episodes, D), the e-th to end in slot e % episodes
        self.last_shown = torch.full((episodes,), -1)

    def before(self, gap: Tensor, episode: Tensor) -> tuple[Tensor, Tensor]:
        """The rows whose moment `gap` (N,) ago showed their `episode` (N,), and its embeddings (N, D)."""
        if not self.count:
            return torch.zeros(0, dtype=torch.int64), self.moments
        slots, worlds = (self.count - gap) % self.longest_gap, torch.arange(len(gap))
        rows = torch.nonzero(self.shown[slots, worlds] == episode)[:, 0]
        at = upload(slots * len(gap) + worlds, self.moments.device)
        return rows, self.moments.flatten(0, 1).index_select(0, at)

    def ended(self) -> tuple[Tensor, Tensor]:
        """The last embeddings (n, D) of episodes that ended, and which (n,) those were; fewer at the beginning."""
        known = min(self.ends, self.episodes)
        return self.last[:known], self.last_shown[:known]

    def add(self, v: Tensor, episode: Tensor) -> None:
        """The embeddings (N, D) of a moment that showed episodes (N,)."""
        if not self.count:
            self.moments = v.new_zeros(self.longest_gap, *v.shape)
            self.shown = torch.full((self.longest_gap, len(v)), -1)
            self.last = v.new_zeros(self.episodes, v.shape[1])
        now, before = self.count % self.longest_gap, (self.count - 1) % self.longest_gap
        if self.count and self.episodes:
            over = torch.nonzero(self.shown[before] != episode)[:, 0][-self.episodes :]
            slots = (self.ends + torch.arange(len(over))) % self.episodes
            at, into = (upload(index, v.device) for index in (over, slots))
            # a new tensor, since a loss of the old one may still have to go back
            self.last = self.last.index_copy(0, into, self.moments[before].index_select(0, at))
            self.last_shown[slots] = self.shown[before][over]
            self.ends += len(over)
        self.moments[now], self.shown[now] = v, episode
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        """Everything remembered."""
        tensors = ("moments", "shown", "last", "last_shown")
        return {name: getattr(self, name) for name in ("count", "ends", *tensors)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What the CPU keeps comes back to it, wherever the rest was read to."""
        for name, value in state.items():
            if value is not None:  # as all were at the beginning, before November 2026
                setattr(self, name, value.cpu() if name in ("shown", "last_shown") else value)
