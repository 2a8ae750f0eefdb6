"""What the linear probe takes for what on each task, and the test images that it is most wrong about."""

from typing import Any

import numpy as np

from runs.analysis.reading import METRICS, LoadedRun
from runs.page.section import section
from runs.page.tiles import mosaic
from runs.scores import WORLD, ScoreKey
from runs.store.metrics import Series, read_mistakes

MOST_CLASSES = 24  # of a matrix that is drawn; of more, the pairs alone
PAIRS = 5  # that are most often taken for one another


@section(65, each_run=True)
def mistakes(run: LoadedRun) -> dict[str, Any] | None:
    """For each task: the matrix, the commonest mistakes, and the worst images, at the run's last end."""
    names, tasks = run.facts.get("class_names", {}), []
    found = read_mistakes(run.path / METRICS)
    for name, arrays in sorted(found.items(), key=lambda item: item[0] != WORLD.name):  # the run's own world first
        tasks.append({"title": ScoreKey.named(name).title, **_task(arrays, names.get(name, []))})
    return {"tasks": tasks} if tasks else None


def _task(arrays: Series, names: Any) -> dict[str, Any]:
    counts = arrays["confusion"][-1]
    known = isinstance(names, list) and len(names) == len(counts)
    labels = [str(name).replace("_", " ") for name in names] if known else [str(n) for n in range(len(counts))]
    share = counts / counts.sum(1, keepdims=True).clip(1)
    others = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    first = np.argsort(-others, axis=None)[:PAIRS]
    pairs = [divmod(int(at), len(counts)) for at in first if others.flat[at]]
    shown = zip(arrays["worst"][-1], arrays["worst_labels"][-1], arrays["worst_answers"][-1], strict=True)
    images = [
        {"png": mosaic(image[None, None], scale=1, gap=0), "is": labels[label], "answer": labels[answer]}
        for image, label, answer in shown
        if label != answer
    ]
    matrix = [(label, row.round(3).tolist()) for label, row in zip(labels, share, strict=True)]
    return {
        "matrix": matrix if len(labels) <= MOST_CLASSES else [],
        "labels": labels,
        "pairs": [(labels[of], labels[answer], f"{100 * share[of, answer]:.0f}") for of, answer in pairs],
        "images": images,
    }
