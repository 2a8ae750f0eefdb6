"""The probe `knn`: the nearest training images vote."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from runs.evaluation.features import Split
from runs.evaluation.probes.linear import top1
from runs.evaluation.probes.registry import probe
from runs.evaluation.probes.ridge import Scores

NEIGHBOURS, TEMPERATURE = 200, 0.1  # Wu et al. 2018
QUERIES = 1024  # images whose neighbours are looked up at once


@probe("knn", every_block=True, block_images=1000)  # below the top, for the time it takes
def knn_probe(features: Split, labels: Split, *, classes: int) -> Scores:
    """The weighted vote of the nearest training images, on features as they are: {top1}; there is nothing to choose."""
    return {"top1": top1(neighbours(features.train, labels.train, features.test, classes=classes), labels.test)}


def neighbours(bank: Tensor, labels: Tensor, queries: Tensor, *, classes: int, k: int = NEIGHBOURS) -> Tensor:
    """Votes (Q, K) of the k nearest of the bank (M, D) for queries (Q, D); k is capped by the bank.

    A neighbour of cosine similarity s votes for its label with weight exp(s / 0.1) (Wu et al. 2018, "Unsupervised
    feature learning via non-parametric instance discrimination", section 3.4).
    """
    bank, parts = normalize(bank), []
    for part in normalize(queries).split(QUERIES):
        similarity, nearest = (part @ bank.T).topk(min(k, len(bank)), sorted=False)  # (q, k)
        votes = similarity.new_zeros(len(part), classes)
        parts.append(votes.scatter_add_(1, labels[nearest], (similarity / TEMPERATURE).exp()))
    return torch.cat(parts)
