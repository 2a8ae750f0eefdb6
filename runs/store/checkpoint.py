"""Checkpoints: written whole or not at all, known by their own checksum, read without executing anything."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from envs.errors import SettingError
from streams.recording.storage import replace

DIGITS = 16  # of the sha256 in a name


def save(folder: Path, state: dict[str, Any], *, frames: int, keep: int = 3) -> Path:
    """Writes `{frames}-{sha256}.pt` atomically, then removes all but the newest `keep`.

    A kill at any moment leaves the older checkpoints, and at most a temporary file that the next save removes.

    Raises OSError: no room, or no permission; the older checkpoints are untouched and no temporary file is left.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    for leftover in folder.glob("*.tmp"):
        leftover.unlink()
    path = folder / f"{frames:012d}-{hashlib.sha256(data).hexdigest()[:DIGITS]}.pt"
    replace(path, data)
    for old in [other for other in _newest_first(folder) if other != path][keep - 1 :]:
        old.unlink()
    return path


def load_newest(folder: Path, *, device: torch.device | str = "cpu") -> tuple[dict[str, Any] | None, list[Path]]:
    """The newest sound checkpoint's state (None where there is none yet), and the damaged ones passed over.

    All tensors come to `device`; of those that the CPU keeps, their owner sees to it when it takes them.

    Raises SettingError: there are checkpoints, and all are damaged.
    """
    damaged: list[Path] = []
    for path in _newest_first(folder):
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest()[:DIGITS] == path.stem.partition("-")[2]:
            return torch.load(io.BytesIO(data), weights_only=True, map_location=device), damaged
        damaged.append(path)
    if damaged:
        names = ", ".join(path.name for path in damaged)
        raise SettingError(f"run.resume={folder.parent} has no sound checkpoint ({names} damaged); begin a new run")
    return None, []


def newest(folder: Path) -> Path | None:
    """The checkpoint written last, sound or not; None where there is none yet."""
    return next(iter(_newest_first(folder)), None)


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """The sha256 of named tensors: two networks have one exactly if they are the same to the last bit.

    Feedback weights go by the name that they had before November 2026, so that a network keeps its sum.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.replace("feedback_weight", "back").encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _newest_first(folder: Path) -> list[Path]:
    """By frames, and of two at one number of frames, the one written last."""
    return sorted(folder.glob("*-*.pt"), key=lambda path: (path.name[:12], path.stat().st_mtime_ns), reverse=True)
