"""One loss at the top of the network, its error carried down through every layer."""

import torch
from torch import Tensor

from learners.losses import Report
from learners.networks.images import check_pairs
from learners.rules.base import Learner
from streams.types import Pairs


class EndToEnd(Learner):
    """Backpropagation, or feedback alignment where the network's layers carry errors by other weights."""

    def learn(self, pairs: Pairs) -> Report:
        """Sends the error of the loss at the top down to the first block."""
        with torch.set_grad_enabled(not self.loss.stop_gradient):
            u = self.embed(pairs.first)
        v = self.embed(pairs.second)
        assert v is not None
        loss, report = self.compare(self.loss, u, v, pairs=pairs, others=self._others(pairs))
        if report:
            loss.backward()
        return report

    def embed(self, images: Tensor | None) -> Tensor | None:
        """(B, 3, H, W) in [0, 1] to embeddings (B, 64) of the top head; None, for the loss to remember, stays None."""
        return None if images is None else self.network.embed(images)

    def _others(self, pairs: Pairs) -> tuple[Tensor, Tensor] | None:
        """What the loss compares with besides; the top's embeddings it has already."""
        return None if self.loss.compares_with == "top" else self.others(pairs)[-1]


class Untrained(EndToEnd):
    """The random encoder: reports its loss and learns nothing."""

    learns = False
    without_feedback = "a network that does not learn"

    def update(self, pairs: Pairs) -> Report:
        """The report of the loss; no weight changes."""
        check_pairs(pairs, self.network, size=self.network.size)
        self.updates += 1
        with torch.no_grad():
            u, v = self.embed(pairs.first), self.embed(pairs.second)
            assert v is not None
            return self.compare(self.loss, u, v, pairs=pairs, others=self._others(pairs))[1]
