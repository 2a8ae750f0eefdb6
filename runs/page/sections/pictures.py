"""Sections of pictures: the film strip and pairs, or test images where there is none, and the first layer's weights."""

from typing import Any

import numpy as np
from torch import Tensor

from envs.errors import SettingError
from runs.analysis.reading import METRICS, LoadedRun
from runs.page.section import Groups, section
from runs.page.tiles import mosaic
from runs.store.checkpoint import load_newest
from runs.store.folder import RunFolder
from runs.store.metrics import read_samples
from runs.store.preview import load_preview

ROWS, COLUMNS = 3, 16  # of test images that are shown, at most, and of filters


@section(10, series=())
def preview(groups: Groups) -> dict[str, Any] | None:
    """Pictures of the first run."""
    run, tested = next(iter(groups.values()))[0], None
    strip = _strip(run)
    images = np.empty(0) if strip else read_samples(run.path / METRICS).get("images", np.empty(0))
    if len(images):
        columns = min(COLUMNS, len(images))
        count = columns * min(ROWS, len(images) // columns)
        tested = {"image": mosaic(images[:count], columns=columns), "count": count}
    return {"strip": strip, "tested": tested} if strip or tested else None


def _strip(run: LoadedRun) -> dict[str, Any] | None:
    arrays = load_preview(run.path / METRICS)
    if not arrays:
        return None
    worlds, times = arrays["strip"].shape[:2]
    gaps = sorted({int(gap) for gap in arrays["gap"]})
    return {
        "image": mosaic(arrays["strip"]),
        "pairs": mosaic(np.stack([arrays["first"], arrays["second"]])),
        "stride": arrays["stride"],
        "steps": times * arrays["stride"],
        "worlds": worlds,
        "of": run.settings["env.num_worlds"],
        "gaps": "two views of one frame" if gaps == [0] else f"{' or '.join(map(str, gaps))} steps apart",
    }


@section(90, each_run=True)
def filters(run: LoadedRun) -> dict[str, Any] | None:
    """Those of the newest checkpoint, where there is one and its first layer sees colour.

    Raises SettingError: it is damaged, or not of the last commit.
    """
    folder = RunFolder(run.path)
    state, damaged = load_newest(folder.checkpoints, run_id=folder.run_id)
    if damaged:
        raise SettingError(f"{damaged[0]} is damaged or not ours; put back a copy of it")
    if state and state["frames"] != run.frames:
        raise SettingError(f"{folder.checkpoints} holds no state of {run.frames:,} frames, where the numbers end")
    network = state["learner"].get("network") if state else None
    weights = network.values() if isinstance(network, dict) else ()
    first = next((of for of in weights if isinstance(of, Tensor) and of.ndim == 4 and of.shape[1] == 3), None)
    if first is None or state is None:
        return None
    w = first.float().permute(0, 2, 3, 1).cpu().numpy()  # (C, k, k, 3)
    w = w / np.abs(w).max((1, 2, 3), keepdims=True).clip(1e-12)
    pixels = (127.5 + 127.5 * w).round().astype(np.uint8)  # grey, which is 128, is a weight of zero
    return {"image": mosaic(pixels, columns=COLUMNS, scale=8, fill=128), "frames": f"{state['frames']:,}"}
