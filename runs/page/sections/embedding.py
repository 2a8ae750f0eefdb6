"""A map of the code: test images laid out by the two directions in which their features differ most, over time."""

import json
from typing import Any

import numpy as np

from envs.scene.categories import CATEGORIES
from runs.analysis.reading import METRICS, LoadedRun
from runs.page.section import section
from runs.page.tiles import mosaic
from runs.store.metrics import read_samples

COLUMNS = 16  # of the atlas of thumbnails
MOST_CLASSES = 256
SHOWN = 160  # images, at most: more hide one another


@section(70, each_run=True)
def embedding(run: LoadedRun) -> dict[str, Any] | None:
    """A map for every evaluation whose samples were kept."""
    samples = read_samples(run.path / METRICS)
    if not samples:
        return None
    images, labels = samples["images"][:SHOWN], samples["labels"][:SHOWN]
    xy, share = principal_maps(samples["embeddings"][:, :SHOWN].astype(np.float32))
    known = list(CATEGORIES) if run.settings["env.name"] == "moving_objects" else []
    if labels.max() >= MOST_CLASSES:  # of numbers with gaps: those that occur, as others would take all colours
        shown, labels = np.unique(labels, return_inverse=True)
        names = [f"class {label}" for label in shown]
    else:
        names = [*known, *(f"class {n}" for n in range(len(known), labels.max() + 1))][: labels.max() + 1]
    data = {
        "xy": np.round(xy, 3).tolist(),
        "frames": samples["frames"].tolist(),
        "labels": labels.tolist(),
        "names": names,
        "colours": [f"hsl({360 * n / len(names):.0f} 65% 52%)" for n in range(len(names))],
        "columns": COLUMNS,
        "rows": -(-len(images) // COLUMNS),
        "atlas": mosaic(images, columns=COLUMNS, scale=1, gap=0),
    }
    text = (
        f"{len(images)} test images, placed by the first two principal components of their features, which hold "
        f"{100 * share[-1]:.0f} % of the variance at the end. A frame's colour is its category. Drag the time."
    )
    script = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return {"frames": data["frames"], "data": script, "text": text}


def principal_maps(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (E, M, D) to places (E, M, 2) in [0, 1], and the share (E,) of variance that two axes hold.

    Every map is turned, and mirrored where need be, to lie on the one after it as well as it can (orthogonal
    Procrustes; Schönemann 1966), since the signs and the order of principal components mean nothing.
    """
    x = embeddings - embeddings.mean(1, keepdims=True)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    maps = u[:, :, :2] * s[:, None, :2]
    share = (s[:, :2] ** 2).sum(1) / (s**2).sum(1).clip(1e-12)
    maps = maps / np.abs(maps).max((1, 2), keepdims=True).clip(1e-12)
    for at in range(len(maps) - 2, -1, -1):
        left, _, right = np.linalg.svd(maps[at].T @ maps[at + 1])
        maps[at] = maps[at] @ left @ right
    return (maps / np.abs(maps).max((1, 2), keepdims=True).clip(1e-12) + 1) / 2, share
