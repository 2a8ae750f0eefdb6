"""Fine-tuning: how well an encoder does as a beginning, where all of it may learn the task from labels.

A copy learns by backpropagation, whatever rule the encoder came from; the encoder itself is not touched. Learning rate
and length are chosen on validation images; test images are looked at once, at the end.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from runs.evaluation.features import Task, encode_images, labels_of
from runs.evaluation.probes.linear import top1
from streams.process.signals import Stop
from streams.seeding import generator

RATES = (1e-3, 3e-4)  # of Adam at its first step, all tried; it falls to 0 in a straight line
STEPS, ROWS = 1000, 50  # of each; images a step. As many for every task, as in VTAB's short sweep (Zhai et al. 2019)
LOOK = 100  # steps from one look at the validation images to the next


class Tunable(Protocol):
    """An encoder that can be fine-tuned; images are (B, 3, H, W) float32 in [0, 1]."""

    def encode(self, images: Tensor) -> Tensor:
        """Features (B, D)."""

    def trainable(self) -> nn.Module:
        """A copy of the encoder, from images to the same features, that learns by true backpropagation."""


class Tuned(NamedTuple):
    """The scores of fine-tuning."""

    top1: float  # share of test images classified correctly, by the copy that validation chose
    validation_top1: float
    lr: float  # at the first step; that of the copy chosen
    epochs: float  # how many times the copy chosen has seen each training image


class Classifier(nn.Module):
    """An encoder and a linear head on its features, which learn together."""

    def __init__(self, encoder: nn.Module, features: Tensor, *, classes: int):
        """`features` (M, D) are the encoder's features of the training images as it begins.

        The head sees features less their mean and in units of their mean deviation there, which never change; it
        begins at zero, so that nothing is drawn.
        """
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("deviation", features.std(0).square().mean().sqrt().clamp_min(1e-6))
        self.weight = nn.Parameter(features.new_zeros(features.shape[1], classes))
        self.bias = nn.Parameter(features.new_zeros(classes))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float in [0, 1] to logits (B, K)."""
        x = (self.encoder(images) - self.mean) / self.deviation
        return torch.addmm(self.bias, x, self.weight)


class TunedCopy(NamedTuple):
    """The copy that validation chose."""

    model: nn.Module  # images (B, 3, H, W) float in [0, 1] to logits (B, K)
    validation_top1: float
    lr: float  # at the first step
    epochs: float


def fine_tune(
    encoder: Tunable,
    task: Task,
    *,
    seed: int,
    device: torch.device,
    stop: Stop | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Tuned | None:
    """Teaches copies of an encoder a task and scores the best; None where `stop` came first.

    The order of the training images is drawn, a function of (seed, task, epoch). `tell` is called with the progress.

    Raises SettingError: a task of one class.
    """
    copy = tuned_copy(encoder, task, seed=seed, device=device, stop=stop, tell=tell)
    if copy is None:
        return None
    tested = top1(encode_images(copy.model, task.test.images, device=device), task.test.labels.to(device))
    return Tuned(tested, *copy[1:])


def tuned_copy(
    encoder: Tunable,
    task: Task,
    *,
    seed: int,
    device: torch.device,
    steps: int | None = None,
    rates: Sequence[float] = RATES,
    stop: Stop | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> TunedCopy | None:
    """The best copy itself, as `fine_tune` finds it; of each learning rate there are `steps` (`STEPS`)."""
    if stop:
        return None
    steps = steps or STEPS
    labels, images, best = labels_of(task, device), task.train.images.to(device), None
    features = encode_images(encoder.encode, images, device=device)
    for number, rate in enumerate(rates):
        model = Classifier(encoder.trainable(), features, classes=task.classes)
        orders = batches(len(images), seed=seed, name=task.name, device=device)
        for step in train_steps(model, images, labels.train, orders=orders, rate=rate, steps=steps, stop=stop):
            logits = encode_images(model, task.validation.images, device=device)
            # the copy that does best: by its top-1, and of copies that are equal in that, by less cross-entropy
            validation_score = top1(logits, labels.validation), -float(cross_entropy(logits, labels.validation))
            if best is None or validation_score > best[0]:
                best = validation_score, rate, step, deepcopy(model)
            tell(f"fine-tuning on {task.name}, {number * steps + step:,} of {len(rates) * steps:,} steps")
        if stop:
            return None
    assert best is not None  # a look follows every so many steps
    (validated, _), rate, step, model = best
    return TunedCopy(model.eval(), validated, rate, step / -(-len(images) // ROWS))


def train_steps(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    orders: Iterable[Tensor],
    rate: float,
    steps: int,
    stop: Stop | None = None,
) -> Iterator[int]:
    """Adam on images (M, 3, H, W) uint8 and labels (M,) until `stop`; yields, in eval mode, steps to validate at."""
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    for step, rows in zip(range(1, steps + 1), orders, strict=False):
        if stop:
            return
        optimiser.param_groups[0]["lr"] = rate * (1 - (step - 1) / steps)
        optimiser.zero_grad()
        cross_entropy(model(images[rows].float().div_(255)), labels[rows]).backward()
        optimiser.step()
        if step % LOOK == 0:
            model.eval()
            yield step
            model.train()


def batches(count: int, *, seed: int, name: str, device: torch.device) -> Iterator[Tensor]:
    """Numbers of images (ROWS,) for ever: all of them in an order, the last few fewer; then in another order."""
    for epoch in itertools.count():
        order = torch.randperm(count, generator=generator(seed, f"finetune/{name}", epoch))
        yield from order.to(device).split(ROWS)
