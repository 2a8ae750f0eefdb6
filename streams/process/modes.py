"""Networks that are looked at, and not taught."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(encode: Callable) -> Iterator[None]:
    """Has a module, or one whose method this is, neither drop units nor gather statistics; then all is as before."""
    module = getattr(encode, "__self__", encode)
    learning = [part for part in module.modules() if part.training] if isinstance(module, nn.Module) else []
    for part in learning:
        part.training = False
    try:
        yield
    finally:
        for part in learning:
            part.training = True
