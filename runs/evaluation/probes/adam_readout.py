"""The probe `adam`: a linear readout that learns by Adam with dropout, as SoftHebb's and SCFF's are in their papers."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from runs.evaluation.features import Split
from runs.evaluation.probes.linear import top1
from runs.evaluation.probes.registry import probe
from runs.evaluation.probes.ridge import Scores
from streams.seeding import generator

RATES = (1e-3, 2e-4)  # of Adam at its first step, all tried; it falls to 0 in a straight line
EPOCHS, ROWS, DROPOUT = 30, 64, 0.5  # at most; images a step; share of the features that a step leaves out
SCALED = 5_000  # training images that the mean deviation is taken over, at most


@probe("adam")
@torch.no_grad()
def adam_probe(features: Split, labels: Split, *, classes: int) -> Scores:
    """Multinomial logistic regression by Adam with dropout; rate and length by validation: {top1, lr, epochs, ...}.

    Features are divided by their mean deviation over the training images, which leaves zeros zero. What is left out,
    and the order of the images, is drawn, a function of the epoch.
    """
    scale = features.train[:SCALED].float().std(0).square().mean().sqrt().clamp_min(1e-6)
    best, chosen = (-1.0, 0.0), (RATES[0], 0, 0.0)  # (validation top-1, less its cross-entropy); (rate, epochs, test)
    for epoch, readouts in enumerate(taught(features.train, labels.train, scale, classes=classes), 1):
        validated = answers(readouts, features.validation, scale)
        for rate, readout, logits in zip(RATES, readouts, validated, strict=True):
            score = top1(logits, labels.validation), -float(cross_entropy(logits, labels.validation))
            if score > best:
                (shown,) = answers([readout], features.test, scale)
                best, chosen = score, (rate, epoch, top1(shown, labels.test))
    rate, epochs, tested = chosen
    return {"top1": tested, "validation_top1": best[0], "lr": rate, "epochs": float(epochs)}


def taught(x: Tensor, labels: Tensor, scale: Tensor, *, classes: int) -> Iterator[list[nn.Linear]]:
    """A readout of features x (M, D), in units of `scale`, for each rate; after each epoch.

    All see the same images in the same order, less the same features: what takes the time is to fetch those.
    """
    readouts = [nn.utils.skip_init(nn.Linear, x.shape[1], classes, device=x.device) for _ in RATES]
    for readout in readouts:
        nn.init.zeros_(readout.weight)
        nn.init.zeros_(readout.bias)
    groups = [{"params": readout.parameters(), "lr": rate} for rate, readout in zip(RATES, readouts, strict=True)]
    optimiser = torch.optim.Adam(groups, fused=x.device.type in ("cpu", "cuda"))
    steps, done = EPOCHS * -(-len(x) // ROWS), 0
    for epoch in range(EPOCHS):
        draws = generator(0, "adam_readout", epoch)
        for rows in torch.randperm(len(x), generator=draws).split(ROWS):
            at, kept = rows.to(x.device), mask(len(rows), x.shape[1], draws=draws).to(x.device)
            for group, rate in zip(optimiser.param_groups, RATES, strict=True):
                group["lr"] = rate * (1 - done / steps)
            optimiser.zero_grad()
            with torch.enable_grad():
                of_each = answers(readouts, x[at].float().mul_(kept), scale * (1 - DROPOUT))
                torch.stack([cross_entropy(logits, labels[at]) for logits in of_each]).sum().backward()
            optimiser.step()
            done += 1
        yield readouts


def answers(readouts: Sequence[nn.Linear], x: Tensor, scale: Tensor) -> Sequence[Tensor]:
    """The logits (M, K) of each readout, of features x (M, D) in units of `scale`."""
    weights = torch.cat([readout.weight for readout in readouts])
    biases = torch.cat([readout.bias for readout in readouts])
    return (biases + linear(x.float(), weights) / scale).chunk(len(readouts), 1)


def mask(rows: int, features: int, *, draws: torch.Generator) -> Tensor:
    """Which features a step keeps, bool (rows, features): a byte is drawn for each, at a tenth of bernoulli_'s cost."""
    words = torch.empty(rows, -(-features // 8), dtype=torch.int64).random_(-(2**63), None, generator=draws)
    return words.view(torch.uint8)[:, :features] < round(256 * (1 - DROPOUT))
