"""A device that is not the CPU, simulated on it, so that what a GPU would say can be heard without one.

Torch takes its tensors for those of its meta device. They hold numbers, and what comes of them is what the CPU makes of
these, to the bit; but whoever mixes them with tensors of the CPU gets an error, as on a GPU, and whoever makes the host
wait is noted: by asking for a number, for a shape that depends on numbers, or by a copy that is not `non_blocking`.

What is not seen: kernels of our own, other threads, and how long a copy takes that is `non_blocking`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

DEVICE, CPU = torch.device("meta"), torch.device("cpu")
aten = torch.ops.aten
ASKS = {  # for a number, or for how many there are
    *(aten._local_scalar_dense.default, aten.equal.default, aten.is_nonzero.default, aten.nonzero.default),
    *(aten.masked_select.default, aten._unique2.default, aten.unique_dim.default, aten.unique_consecutive.default),
    *(aten.bincount.default, aten.repeat_interleave.Tensor),
}
JOINS = {aten.cat.default, aten.stack.default}  # which take no number of the CPU's among their tensors
COPIES = {aten.copy_.default, aten._to_copy.default}
TAKES = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default}
NUMBERS = {getattr(Tensor, name) for name in ("item", "tolist", "__bool__", "__float__", "__int__", "__index__")}
MAKERS = {torch.tensor, torch.as_tensor, Tensor.new_tensor}  # out of numbers, which have to be copied

waits: list[str] = []  # what has made the host wait


class There(Tensor):
    """A tensor of the device, around the CPU's tensor that holds its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "There":
        shape = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        made = Tensor._make_wrapper_subclass(cls, held.size(), **shape, dtype=held.dtype, device=DEVICE)
        made.held = held
        return made

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})

    def __repr__(self, **_) -> str:
        return f"There({self.held!r})"


class Dispatched(TorchDispatchMode):
    """Tensors can be made on the device, and moved to it."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


class Called(TorchFunctionMode):
    """What torch does for meta tensors before it dispatches anything."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in NUMBERS and isinstance(args[0], There):
            waits.append(function.__name__)
            return function(held(args[0].detach()), *args[1:], **kwargs)
        if function is Tensor.__setitem__ and not isinstance(args[2], Tensor) and isinstance(args[0], There):
            at = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(index, Tensor) for index in at):  # the number is made a tensor of the CPU's, then copied
                waits.append("__setitem__ of a number")
        if function in MAKERS and not isinstance(args[-1], There):
            like = args[0] if isinstance(args[0], There) else None
            device = kwargs.pop("device", like.device if like is not None else None)
            if device == DEVICE:
                waits.append(function.__name__)
                return torch.tensor(args[-1], dtype=kwargs.get("dtype", getattr(like, "dtype", None))).to(DEVICE)
            kwargs |= {} if device is None else {"device": device}
        return function(*args, **kwargs)


def held(x):
    """The CPU's tensor, of one that is on the device; anything else as it is."""
    return x.held if isinstance(x, There) else x


def computed(function, args, kwargs):
    """What the CPU makes of it, on the device where it belongs."""
    flat, shape = tree_flatten((args, kwargs))
    any_there = any(isinstance(x, There) for x in flat)
    wanted = kwargs.get("device")
    goes_there = wanted == DEVICE if wanted is not None else any_there
    if function is aten.copy_.default:
        goes_there = isinstance(args[0], There)
    if function in COPIES:
        moves = goes_there != isinstance(args[1 if function is aten.copy_.default else 0], There)
        if moves and not (kwargs.get("non_blocking") or args[2:3] == (True,)):
            waits.append(f"{function}: {'up' if goes_there else 'down'}")
    elif any_there:
        refuse_strangers(function, args, flat)
        if function in ASKS:
            waits.append(str(function))
    args_, kwargs_ = tree_unflatten([CPU if isinstance(x, torch.device) else held(x) for x in flat], shape)
    out = function(*args_, **kwargs_)
    if function._schema.is_mutable and out is not None and goes_there:
        return kwargs.get("out", args[0])
    return tree_map_only(Tensor, There, out) if goes_there else out


def refuse_strangers(function, args, flat) -> None:
    """Raises where tensors of two devices meet; one number may be the CPU's, and so may indices, which are copied."""
    indices = {id(x) for x in args[1]} if function in TAKES and isinstance(args[0], There) else set()
    if indices and any(isinstance(x, Tensor) and not isinstance(x, There) for x in args[1]):
        waits.append(f"{function}: indices up")
    if indices and any(isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8) for x in args[1]):
        waits.append(f"{function}: a mask")
    for x in flat:
        lone = isinstance(x, Tensor) and not isinstance(x, There)
        if lone and (x.ndim or function in JOINS) and id(x) not in indices:
            raise RuntimeError(f"{function}: expected all tensors on one device, found the CPU's among the simulated")


@contextmanager
def simulated() -> Iterator[list[str]]:
    """While it lasts, the device is there; yields what has waited for it."""
    waits.clear()
    with Dispatched(), Called():
        yield waits
