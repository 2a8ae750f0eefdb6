"""Checkpoints: written whole or not at all, known by their own checksum, read without executing anything."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from envs.command.startup_errors import of_memory
from envs.errors import SettingError
from runs.store.files import read_bytes
from streams.process.ranks import Ranks
from streams.recording.storage import replace

DIGITS, FRAMES = 16, 12  # of the sha256 and of the number of frames in a name
LIMIT = 1 << 40  # bytes of a checkpoint
PARTS = ("stream", "learner", "means")  # of a run, each of which has a state of its own


def save(folder: Path, state: dict[str, Any], *, frames: int, keep: int = 3) -> Path:
    """Writes `{frames}-{sha256}.pt` atomically, then removes all but the newest `keep`.

    A kill at any moment leaves the older checkpoints, and at most a temporary file that the next save removes.

    Raises OSError: no room, or no permission; the older checkpoints are untouched and no temporary file is left.
    """
    data = _packed(state)
    for leftover in folder.glob("*.tmp"):
        leftover.unlink()
    path = folder / f"{frames:012d}-{hashlib.sha256(data).hexdigest()[:DIGITS]}.pt"
    replace(path, data)
    for old in [other for other in _newest_first(folder) if other != path][keep - 1 :]:
        old.unlink()
    kept = {other.name[:FRAMES] for other in _newest_first(folder)}
    for part in folder.glob("*.part"):
        if part.name[:FRAMES] not in kept:
            part.unlink()
    return path


def save_part(folder: Path, state: dict[str, Any], *, frames: int, rank: int) -> dict[str, str]:
    """Writes what a rank but the first adds to a checkpoint: `{frames}-rank{rank}-{sha256}.part`.

    Returns how the checkpoint, which the first rank writes once all parts are on the disk, knows it. Raises OSError: as
    `save`.
    """
    data = _packed(state)
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / f"{frames:0{FRAMES}d}-rank{rank}-{sha256[:DIGITS]}.part"
    replace(path, data)
    return {"file": path.name, "sha256": sha256}


def load_newest(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    run_id: str | None = None,
    ranks: Ranks | None = None,
) -> tuple[dict[str, Any] | None, list[Path]]:
    """The newest sound checkpoint's state (None where there is none yet), and those passed over: damaged, or not ours.

    All tensors come to `device`; of those that the CPU keeps, their owner sees to it when it takes them. Where `run_id`
    is given, a checkpoint of another run is not ours.

    Where `ranks` are given, what each of them saved is read as well: this rank's own `stream` and `means`, or, where
    there were as many ranks as there are now, and else, as `streams`, those of all.

    Raises SettingError: there are checkpoints, and none is sound.
    """
    damaged: list[Path] = []
    for path in _newest_first(folder):
        state = _state(path, device=device, run_id=run_id)
        if state is not None and ranks is not None:
            state = _with_parts(state, folder, ranks, device=device)
        if all(ranks.gather(state is not None) if ranks else [state is not None]) and state is not None:
            return {name: part for name, part in state.items() if name != "run_id"}, damaged
        damaged.append(path)
    if damaged:
        names = ", ".join(path.name for path in damaged)
        raise SettingError(
            f"{folder.parent} has no sound checkpoint ({names} damaged or not ours); put back a copy of one, or begin "
            "a new run"
        )
    return None, []


def load_at(
    folder: Path, frames: int, *, device: torch.device | str = "cpu", run_id: str | None = None
) -> dict[str, Any]:
    """The state of the checkpoint that was written after so many frames. Raises SettingError: none is, or damaged."""
    there = {int(path.name[:12]): path for path in reversed(_newest_first(folder))}
    if frames not in there:
        kept = ", ".join(map(str, sorted(there)))
        raise SettingError(f"frames={frames} is no checkpoint of {folder.parent}; there are {kept or 'none yet'}")
    state = _state(there[frames], device=device, run_id=run_id)
    if state is None:
        raise SettingError(f"{there[frames]} is damaged or not ours; give another number of frames")
    return state


def _state(path: Path, *, device: torch.device | str, run_id: str | None) -> dict[str, Any] | None:
    """What a checkpoint holds; None where it is damaged, or not one of this run's."""
    try:
        data = read_bytes(path, limit=LIMIT)
        if hashlib.sha256(data).hexdigest()[:DIGITS] != path.stem.partition("-")[2]:
            return None
        with zipfile.ZipFile(io.BytesIO(data)) as archive:  # torch packs nothing, so that it can claim no more
            if sum(part.file_size for part in archive.infolist()) > len(data):
                return None
        state = torch.load(io.BytesIO(data), weights_only=True, map_location=device)
    except Exception as error:  # whatever is raised for what only its name makes a checkpoint
        if of_memory(error):
            raise
        return None
    return state if _is_of_run(state, path, run_id) else None


def _with_parts(
    state: dict[str, Any], folder: Path, ranks: Ranks, *, device: torch.device | str
) -> dict[str, Any] | None:
    """The state with what this rank saved, or all, if there were more or fewer of them; None where one is damaged."""
    parts, count = state.pop("parts", []), state.pop("ranks", 1)
    if count == ranks.size:
        own = _part(folder, parts[ranks.rank - 1], device=device) if ranks.rank else {}
        return None if own is None else state | own
    others = [_part(folder, part, device=device) for part in parts]
    streams = [state["stream"], *(part["stream"] for part in others if part is not None)]
    return state | {"streams": streams} if len(streams) == count else None


def _part(folder: Path, part: dict[str, str], *, device: torch.device | str) -> dict[str, Any] | None:
    """What a rank saved; None where it is damaged."""
    try:
        data = read_bytes(folder / Path(part["file"]).name, limit=LIMIT)
        if hashlib.sha256(data).hexdigest() != part["sha256"]:
            return None
        return torch.load(io.BytesIO(data), weights_only=True, map_location=device)
    except Exception as error:  # as of a checkpoint
        if of_memory(error):
            raise
        return None


def _packed(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _is_of_run(state: Any, path: Path, run_id: str | None) -> bool:
    if not isinstance(state, dict) or not all(isinstance(state.get(part), dict) for part in PARTS):
        return False
    counts = [state.get(name) for name in ("frames", "updates")]
    if not all(type(count) is int and count >= 0 for count in counts) or path.name[:12] != f"{counts[0]:012d}":
        return False
    return run_id is None or state.get("run_id", run_id) == run_id


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
    return sorted(folder.glob("*-*.pt"), key=lambda path: (path.name[:12], path.lstat().st_mtime_ns), reverse=True)
