"""Devices by name, and copies from the CPU to them."""

import os

import torch
from torch import Tensor

from envs.errors import SettingError

# A forked process has none of its parent's threads, and OpenMP would wait for them for ever.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def device(name: torch.device | str) -> torch.device:
    """The torch device of this name; `auto` is CUDA where there is one. Raises SettingError: no such device here."""
    name = str(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingError(f"device={name} is no device; try cpu, cuda or auto") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SettingError(f"device={name} is not on this machine, which has {count} CUDA devices; try device=cpu")
    if device.type not in ("cpu", "cuda"):
        raise SettingError(f"device={name} is not supported; try cpu or cuda")
    return device


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy of a CPU tensor on the device, made without waiting: a GPU reads it from pinned memory later."""
    if device.type == "cuda" and tensor.numel():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
