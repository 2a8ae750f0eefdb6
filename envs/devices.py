"""Which device, and how what is drawn on the CPU gets there."""

import torch
from torch import Tensor

from envs.errors import SettingError


def device(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA where there is one.

    Raises:
        SettingError: this machine has none such.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(name)
    except RuntimeError:
        raise SettingError(f"device={name} is no device; try cpu, cuda or auto") from None
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SettingError(f"device={name} is not on this machine, which has {count} CUDA devices; try device=cpu")
    if wanted.type not in ("cpu", "cuda"):
        raise SettingError(f"device={name} is not supported; try cpu or cuda")
    return wanted


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU's on the device. Nobody waits: a GPU reads it from pinned memory, when its turn comes."""
    if device.type == "cuda" and tensor.numel():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
