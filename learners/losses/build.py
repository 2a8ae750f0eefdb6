"""From settings to the losses of a network's heads."""

from inspect import isclass, signature
from typing import Any

from torch import nn

from envs.errors import SettingError
from learners.losses.base import Loss, Plain
from learners.losses.clapp import Clapp
from learners.losses.equations import barlow_twins, ntxent, vicreg
from learners.losses.hinge import Hinge
from learners.losses.memory_bank import Remembered
from learners.networks.network import EMBEDDING, init_kwargs
from learners.registry import check_numbers, named
from streams.seeding import seeded

LOSSES = {"hinge": Hinge, "ntxent": ntxent, "clapp": Clapp, "barlow_twins": barlow_twins, "vicreg": vicreg}


def build_losses(
    settings: dict[str, Any], *, heads: int, feedback: str, seed: int, longest_gap: int = 0
) -> nn.ModuleList:
    """A loss for each of so many heads. `settings` are the keywords of the loss, and its `kind`.

    A hinge with `remember=true` remembers so many moments.

    A kind is one of LOSSES or a dotted path: of a subclass of Loss, or of a function `f(u, v, *, episode, **settings)`
    that returns the loss.

    Raises:
        SettingError: an unknown kind, or a setting that it does not have.
    """
    kind = named("loss.kind", settings.get("kind", "hinge"), LOSSES, wanted="a function or a Loss", fits=callable)
    keywords = {name: value for name, value in settings.items() if name not in ("name", "kind", "remember")}
    instead = f", or choose loss={settings['kind']}" if settings.get("kind") in LOSSES else ""
    losses = []
    for number in range(1, heads + 1):
        with seeded(seed, f"weights/loss{number}"):  # which one's own may draw when it is made
            losses.append(_loss(kind, keywords, instead=instead))
    if settings.get("remember"):
        losses = [Remembered(loss, longest_gap=longest_gap) for loss in losses]
    for number, loss in enumerate(losses, 1):
        loss.draw(EMBEDDING, **init_kwargs(seed, f"loss{number}", feedback=feedback))
    return nn.ModuleList(losses)


def _loss(kind: Any, keywords: dict[str, Any], *, instead: str) -> Loss:
    """`instead` is what else a setting that the loss does not have may have been meant for."""
    plain = not (isclass(kind) and issubclass(kind, Loss))
    known = [name for name in signature(kind).parameters if name not in ("u", "v", "episode")]
    for name in keywords:
        if name not in known:
            raise SettingError(
                f"loss.{name} is no setting of {kind.__name__}, which has {', '.join(known) or 'none'}; "
                f"leave it out{instead}"
            )
    check_numbers(kind, keywords, group="loss")
    return Plain(kind, **keywords) if plain else kind(**keywords)
