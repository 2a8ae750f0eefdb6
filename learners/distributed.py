"""Updates that several ranks make together: embeddings gathered with their gradient, gradients averaged.

Each rank has some rows of a batch. What a rule computes as a mean over its own rows counts by their number, so that an
update is that of one process that has all rows, whatever the ranks' shares are.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function

from envs.errors import SettingError, check_choices
from streams.process.ranks import OWN_ROWS, Ranks
from streams.types import Pairs


class Compared(NamedTuple):
    """What the loss of a head compares: embeddings (B, D) of both views of pairs, of which the first may be missing."""

    u: Tensor | None
    v: Tensor
    pairs: Pairs
    others: tuple[Tensor, Tensor] | None = None  # embeddings that they are compared with besides
    report: Mapping[str, Tensor] = MappingProxyType({})  # of a rank's own rows

    def columns(self) -> list[Tensor]:
        """The embeddings that there are."""
        return [rows for rows in (self.u, self.v, *(self.others or ())) if rows is not None]


@dataclass
class DistributedSettings:
    """Where torchrun starts several processes"""

    negatives: str = "gathered"  # rows that a loss compares: gathered (of all ranks, as one process), or local

    def __post_init__(self):
        check_choices(self, group="distributed", negatives=("gathered", "local"))


class Part:
    """Rows that are spread evenly over a batch, of activities (B, ...): every `spacing`-th."""

    share = 1.0  # of all such rows that are here

    def __init__(self, rows: int, spacing: int):
        self.spacing, self.total = spacing, math.ceil(rows / spacing)

    def of(self, activity: Tensor) -> Tensor:
        """The rows of it that are in the part."""
        return activity[:: self.spacing]

    def here(self, rows: Tensor) -> Tensor:
        """Of tensors made for all `total` rows, those that are here."""
        return rows


class _PartOfRank(Part):
    """Those of one rank, which knows the numbers (B,) that its rows have in the whole batch of so many rows."""

    def __init__(self, numbers: Tensor, rows: int, spacing: int):
        super().__init__(rows, spacing)
        self._at = torch.nonzero(numbers % spacing == 0)[:, 0]
        self._numbers = numbers[self._at] // spacing
        self.share = len(self._at) / self.total

    def of(self, activity: Tensor) -> Tensor:
        rows = activity.index_select(0, self._at.to(activity.device))
        return rows.contiguous(memory_format=torch.channels_last) if rows.ndim == 4 else rows

    def here(self, rows: Tensor) -> Tensor:
        return rows.index_select(0, self._numbers.to(rows.device))


class Batch:
    """The rows of an update where one process has them all."""

    scale = 1.0  # by which a gathered loss's gradient of an own row is multiplied

    def gathered(self, heads: Iterable[Compared]) -> Iterable[Compared]:
        """The same of all rows, head by head: one process is asked for each when what follows from the last is done."""
        return heads

    def pairs(self, own: int) -> int:
        """The number of pairs that a loss compares, of which this rank has its own."""
        return own

    def part(self, rows: int, views: int, most: int) -> Part:
        """At most `most` rows (0: all) of activities of `views` views below each other, `rows` of them here."""
        return Part(rows, _spacing(rows, most))

    def mean(self, mean: Tensor) -> Tensor:
        """The mean over all rows, of means over the rows of each rank."""
        return mean

    def total(self, total: Tensor) -> Tensor:
        """The sum over all rows, of sums over the rows of each rank."""
        return total

    def mean_loss(self, loss: Tensor) -> Tensor:
        """The mean () over ranks, of a loss of the rows that are compared here."""
        return loss

    def average_gradients(
        self,
        parameters: Sequence[nn.Parameter],
        *,
        share: float | None = None,
        twins: Mapping[nn.Parameter, nn.Parameter] = MappingProxyType({}),
    ) -> None:
        """Puts the mean over all rows in place of each gradient, which is a mean over this rank's rows.

        `share` is what this rank has of the rows that count, if not of the batch. `twins` are parameters whose gradient
        is another's too, where it is, and which need not be exchanged by themselves.
        """

    def average_buffers(self, modules: nn.Module) -> None:
        """Puts the mean over ranks in place of what modules keep of their own rows."""

    def __deepcopy__(self, memo: dict) -> "Batch":
        """Copies of what learns are measured by one rank, alone."""
        return Batch()


class SharedBatch(Batch):
    """The rows of an update, of which each rank has `counts`."""

    def __init__(self, ranks: Ranks, pairs: Pairs, *, negatives: str):
        """Exchanges the counts, and the episodes and gaps of all rows where they are gathered."""
        self.ranks, self.counts = ranks, ranks.counts(len(pairs.episode))
        self.own, self.all = self.counts[ranks.rank], sum(self.counts)
        self.first, self.share = sum(self.counts[: ranks.rank]), self.own / self.all
        self.local = negatives == "local"
        self._gathers = not self.local or min(self.counts) < 2  # a row alone has no negatives
        if self._gathers:
            self.scale = self.all / max(self.own, 1)
            numbers = ranks.gather_rows(torch.stack([pairs.episode, pairs.gap], 1), self.counts)
            self._episode, self._gap = (column.contiguous() for column in numbers.unbind(1))

    def gathered(self, heads: Iterable[Compared]) -> Iterable[Compared]:
        """Those of all ranks, by one exchange for all heads; each rank's own, where negatives are local."""
        own = [head._replace(report={OWN_ROWS: head.v.detach().sum() * 0}) for head in heads]
        if not self._gathers:
            return own
        columns = [rows for head in own for rows in head.columns()]
        rows = self.ranks.gather_rows(torch.cat([rows.detach() for rows in columns], 1), self.counts)
        parts = zip(columns, rows.split([rows.shape[1] for rows in columns], 1), strict=True)
        together = iter([_Gathered.apply(rows, part.contiguous(), self) for rows, part in parts])
        return [self._of_all(head, together) for head in own]

    def _of_all(self, own: Compared, together: Iterator[Tensor]) -> Compared:
        u, v = None if own.u is None else next(together), next(together)
        others = None if own.others is None else (next(together), next(together))
        return own._replace(u=u, v=v, others=others, pairs=own.pairs._replace(episode=self._episode, gap=self._gap))

    def pairs(self, own: int) -> int:
        """Those of all ranks, where they are gathered."""
        return self.all if self._gathers else own

    def part(self, rows: int, views: int, most: int) -> Part:
        """Those of this rank that are among the rows chosen from the whole batch."""
        own = torch.arange(self.own) + self.first
        numbers = torch.cat([own + self.all * view for view in range(views)])
        return _PartOfRank(numbers, views * self.all, _spacing(views * self.all, most))

    def mean(self, mean: Tensor) -> Tensor:
        """By an exchange, each rank counting by its number of rows."""
        return self.ranks.sum_((mean * self.share).contiguous())  # of one layout on all ranks

    def total(self, total: Tensor) -> Tensor:
        """By an exchange."""
        return self.ranks.sum_(total.clone(memory_format=torch.contiguous_format))

    def mean_loss(self, loss: Tensor) -> Tensor:
        """By an exchange, where each rank compares its own rows."""
        return loss if self._gathers else self.mean(loss)

    def average_gradients(
        self,
        parameters: Sequence[nn.Parameter],
        *,
        share: float | None = None,
        twins: Mapping[nn.Parameter, nn.Parameter] = MappingProxyType({}),
    ) -> None:
        """As of any batch. A weight without a gradient here counts as zero where another rank has one."""
        wanted = torch.tensor([_has_gradient_of_its_own(weight, twins.get(weight)) for weight in parameters])
        some = self.ranks.sum_(wanted.int()).tolist()
        chosen = [weight for weight, count in zip(parameters, some, strict=True) if count]
        if chosen:
            own = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in chosen]
            flat = torch.cat([gradient.reshape(-1) for gradient in own])
            self.ranks.sum_(flat.mul_(self.share if share is None else share))
            for weight, part in zip(chosen, flat.split([weight.numel() for weight in chosen]), strict=True):
                weight.grad = part.view(weight.shape)
        for weight, count in zip(parameters, some, strict=True):
            if weight in twins and not count:
                weight.grad = twins[weight].grad

    def average_buffers(self, modules: nn.Module) -> None:
        """By an exchange, where each rank compares its own rows."""
        if self.local:
            for buffer in modules.buffers():
                buffer.copy_(self.mean(buffer))


class _Gathered(Function):
    """The rows (B, D) of all ranks. As each computes the same loss of them, its gradient here is the own rows' share.

    The sum of the ranks' gradients of these rows is W equal parts, of which the mean is taken in the end: so much is
    left of it, without an exchange on the way back.
    """

    @staticmethod
    def forward(ctx, own: Tensor, rows: Tensor, batch: SharedBatch) -> Tensor:
        ctx.batch = batch
        return rows

    @staticmethod
    def backward(ctx, error: Tensor):
        batch = ctx.batch
        return error[batch.first : batch.first + batch.own] * batch.scale, None, None


def _has_gradient_of_its_own(weight: nn.Parameter, twin: nn.Parameter | None) -> bool:
    """Whether there is a gradient, and if so, not its twin's."""
    if twin is None or weight.grad is None or twin.grad is None:
        return weight.grad is not None or (twin is not None and twin.grad is not None)
    return not torch.equal(weight.grad, twin.grad)


def _spacing(rows: int, most: int) -> int:
    """From one chosen row to the next; odd, so that chosen rows are seldom two views of one pair."""
    every = math.ceil(rows / (most or rows))
    return every + 1 - every % 2


def tensors_of(state: Any) -> Iterable[Tensor]:
    """The tensors in a nested state, in order."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for part in state.values() if isinstance(state, dict) else state:
            yield from tensors_of(part)


def check_network(network: nn.Module) -> None:
    """Raises SettingError: a layer that takes statistics over a batch, of which each rank would have its own."""
    for name, part in network.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise SettingError(
                f"{name} of the network is a {type(part).__name__}, whose statistics each rank would take of its own "
                "rows alone; normalise each image by itself (as GroupNorm does), or start one process"
            )
