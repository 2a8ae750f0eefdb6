"""What it saw: the film strip and pairs, or test images where a run was interrupted before there was a film strip."""

from typing import Any

import numpy as np

from runs.analysis.reading import METRICS, LoadedRun
from runs.page.section import Groups, section
from runs.page.tiles import data_uri, mosaic
from runs.store.metrics import read_samples
from runs.store.preview import load_preview

ROWS, COLUMNS = 3, 16  # of test images that are shown, at most


@section(10)
def preview(groups: Groups) -> dict[str, Any] | None:
    """Pictures of the first run."""
    run = next(iter(groups.values()))[0]
    strip = _strip(run)
    tested = None if strip else _tested(run)
    return {"strip": strip, "tested": tested} if strip or tested else None


def _strip(run: LoadedRun) -> dict[str, Any] | None:
    arrays = load_preview(run.path / METRICS)
    if not arrays:
        return None
    worlds, times = arrays["strip"].shape[:2]
    gaps = sorted({int(gap) for gap in arrays["gap"]})
    return {
        "image": data_uri(mosaic(arrays["strip"])),
        "pairs": data_uri(mosaic(np.stack([arrays["first"], arrays["second"]]))),
        "stride": arrays["stride"],
        "steps": times * arrays["stride"],
        "worlds": worlds,
        "of": run.settings["env.num_worlds"],
        "gaps": "two views of one frame" if gaps == [0] else f"{' or '.join(map(str, gaps))} steps apart",
    }


def _tested(run: LoadedRun) -> dict[str, Any] | None:
    images = read_samples(run.path / METRICS).get("images", np.empty(0))
    if not len(images):
        return None
    columns = min(COLUMNS, len(images))
    rows = min(ROWS, len(images) // columns)
    grid = images[: rows * columns].reshape(rows, columns, *images.shape[1:])
    return {"image": data_uri(mosaic(grid)), "count": rows * columns}
