"""From settings to the losses of a network's heads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from inspect import signature
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.functional import normalize

from envs.errors import SettingError
from learners.losses import equations
from learners.losses.base import FunctionLoss, Loss, LossSettings, Space
from learners.losses.byol import Byol, ByolSettings
from learners.losses.clapp import Clapp, ClappSettings
from learners.losses.hinge import Hinge, HingeSettings
from learners.losses.memory_bank import Remembered
from learners.losses.scff import Scff, ScffSettings
from learners.losses.temporal import Lpl, LplSettings, SfaSettings, sfa
from learners.networks.network import init_kwargs
from learners.registry import check_numbers, look_up
from streams.seeding import seeded


class LossKind(NamedTuple):
    """A loss that can be chosen."""

    settings: type[LossSettings]
    loss: type[Loss] | Callable[..., Tensor]  # a class made of its settings, or a function of u, v and their fields
    space: Space = lambda z: z  # of a function: takes embeddings to where it compares them


LOSSES: dict[str, LossKind] = {
    "hinge": LossKind(HingeSettings, Hinge),
    "ntxent": LossKind(equations.NTXentSettings, equations.ntxent, space=normalize),
    "clapp": LossKind(ClappSettings, Clapp),
    "barlow_twins": LossKind(equations.BarlowTwinsSettings, equations.barlow_twins, equations.standardised),
    "vicreg": LossKind(equations.VICRegSettings, equations.vicreg),
    "lpl": LossKind(LplSettings, Lpl),
    "sfa": LossKind(SfaSettings, sfa),
    "scff": LossKind(ScffSettings, Scff),
    "byol": LossKind(ByolSettings, Byol),
}


def build_losses(
    settings: LossSettings | Mapping[str, Any], *, widths: Sequence[int], feedback: str, seed: int, longest_gap: int = 0
) -> nn.ModuleList:
    """A loss for each head, whose embeddings have so many dimensions: `widths`, from the lowest head to the top.

    `settings` are one of ours, or a mapping with the `kind` of a loss of one's own: the dotted path of a subclass of
    Loss, or of a function `f(u, v, *, episode, **keywords)` that returns the loss. A loss that remembers keeps the
    embeddings of `longest_gap` steps.

    Raises SettingError: an unknown kind, or a setting that it does not have.
    """
    make = _maker(settings)
    losses = []
    for number, width in enumerate(widths, 1):
        with seeded(seed, f"weights/loss{number}"):  # which one's own may draw when it is made
            loss = make()
        if isinstance(loss, Hinge) and loss.settings.remember:
            loss = Remembered(loss, longest_gap=longest_gap)
        loss.top_width = widths[-1]
        loss.draw(width, **init_kwargs(seed, f"loss{number}", feedback=feedback))
        losses.append(loss)
    return nn.ModuleList(losses)


def _maker(settings: LossSettings | Mapping[str, Any]) -> Callable[[], Loss]:
    """What makes a loss of these settings."""
    name = settings.kind if isinstance(settings, LossSettings) else settings["kind"]
    kind = look_up("loss.kind", name, LOSSES, expected="a function or a Loss", fits=callable)
    if not isinstance(kind, LossKind):
        return _own_maker(kind, settings)
    if not isinstance(settings, kind.settings):
        values = _keywords(settings)
        known = [item.name for item in fields(kind.settings)]
        _refuse_unknown(values, known, of=name, instead=f", or choose loss={name}")
        settings = kind.settings(kind=name, **values)
    loss, space = kind.loss, kind.space
    if isinstance(loss, type):
        return lambda: loss(settings)
    return lambda: FunctionLoss(loss, _keywords(settings), space=space)


def _own_maker(part: Callable, settings: LossSettings | Mapping[str, Any]) -> Callable[[], Loss]:
    """What makes a loss of one's own of the settings that its signature names."""
    values = _keywords(settings)
    known = [name for name in signature(part).parameters if name not in ("u", "v", "episode")]
    _refuse_unknown(values, known, of=part.__name__)
    check_numbers(part, values, group="loss")
    own = isinstance(part, type) and issubclass(part, Loss)
    return lambda: part(**values) if own else FunctionLoss(part, values)


def _keywords(settings: LossSettings | Mapping[str, Any]) -> dict[str, Any]:
    values = settings if isinstance(settings, Mapping) else asdict(settings)
    return {name: value for name, value in values.items() if name not in ("name", "kind")}


def _refuse_unknown(values: Mapping[str, Any], known: list[str], *, of: str, instead: str = "") -> None:
    for name in values:
        if name not in known:
            raise SettingError(
                f"loss.{name} is no setting of {of}, which has {', '.join(known) or 'none'}; leave it out{instead}"
            )
