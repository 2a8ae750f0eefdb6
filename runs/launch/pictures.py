"""The pictures that a run ends with: what it saw, and how its score rose."""

from pathlib import Path

import torch

from runs.analysis.reading import LoadedRun
from runs.scores import ScoreKey
from runs.store.folder import RunFolder
from runs.store.preview import save_preview
from streams.pairing.single_frames import Stream

STRIP_ROWS, STRIP_COLUMNS = 6, 12  # of the film strip


def pictures(folder: RunFolder, stream: Stream, loaded: LoadedRun) -> list[Path]:
    """The film strip of the first frames of a stream that has not begun, pairs of those that follow, and the curve."""
    from runs.analysis.figures import film_strip, learning_curve  # by matplotlib, for which a start need not wait

    stride = max(1, stream.gap)
    steps = STRIP_COLUMNS * stride
    columns = [frames for _, frames in zip(range(steps), stream.frames, strict=False)][::stride]
    strip = torch.stack([frames.images[:STRIP_ROWS] for frames in columns], 1).cpu().numpy()
    episode = torch.stack([frames.episode[:STRIP_ROWS] for frames in columns], 1)
    ends = torch.nn.functional.pad(episode.diff(dim=1) != 0, (1, 0)).numpy()
    paths = [folder.path / "film_strip.png"]
    film_strip(strip, paths[0], stride=stride, ends=ends)
    pairs = next(stream)
    views = {name: getattr(pairs, name)[:STRIP_COLUMNS].permute(0, 2, 3, 1) for name in ("first", "second")}
    pixels = {name: (255 * view).round().to(torch.uint8).cpu().numpy() for name, view in views.items()}
    save_preview(folder.metrics, stride=stride, strip=strip, **pixels, gap=pairs.gap[:STRIP_COLUMNS].cpu().numpy())
    if ScoreKey() in loaded.scores:
        paths.append(folder.path / "learning_curve.png")
        learning_curve(loaded, paths[1])
    return paths
