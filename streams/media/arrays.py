"""Arrays of pictures, and torchvision's data sets, as a source."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from envs.command.text import counted
from envs.errors import SettingError
from envs.images.pictures import arrays_of, is_zarr, load_pictures, numbers
from streams.media.files import at_rate, episodes, span
from streams.media.pictures import TOGETHER, stacked
from streams.media.source import EVEN, Batch, ImportSettings, Report, Source

TIMES = ("time", "times", "time_s", "timestamp", "timestamps")  # arrays that say when pictures come


def arrays_source(settings: ImportSettings) -> Source:
    """Pictures of an array file or data set; in the order of episode and time or angle, where there are such arrays.

    Raises SettingError: it can't be read, holds no pictures, or no such arrays.
    """
    pictures = load_pictures(settings.source, settings.dataset, setting="source")
    count, columns = len(pictures.images), _columns(settings)
    time = settings.time or next((name for name in TIMES if name in columns and columns[name]().shape == (count,)), "")
    read = {name: _column(settings, columns, name, count) for name in (settings.episode, settings.angle, time) if name}
    if settings.episode:
        episode = np.unique(read[settings.episode], return_inverse=True)[1]
    elif pictures.episode is not None:
        episode = pictures.episode
    else:
        episode = np.zeros(count, np.int64) if settings.time or (time and settings.fps) else np.arange(count)
    if settings.fps and not time:
        raise SettingError(
            f"source={settings.source} has no times, which fps={settings.fps:g} needs; name them by time="
        )
    order = np.lexsort((np.arange(count), *(read[name] for name in (time, settings.angle) if name), episode))
    factors = {"angle": read[settings.angle][order].astype(np.float32)} if settings.angle else {}
    report = Report()
    if time:
        rows, times = _timed(read[time][order], episode[order], settings, report)
        order, factors = order[rows], {name: of[rows] for name, of in factors.items()} | {"time": times}
    labels = pictures.labels[order]
    plan = [f"{counted(count, 'picture')} of {pictures.images.shape[2]}x{pictures.images.shape[1]}"]
    lengths = np.unique(episode[order], return_counts=True)[1]
    ordered = " and ".join(name for name in (settings.angle, time) if name) if len(lengths) < len(order) else ""
    kinds = len(np.unique(labels))
    plan.append(
        f"{episodes(lengths)}{f', in the order of {ordered}' if ordered else ''}, "
        f"{f'{kinds:,} categories' if kinds > 1 else 'one category'}"
    )
    if time and len(lengths) == len(order) > 1:
        plan.append(f"each picture is an episode; time={time} makes them one, or episode= names the array that tells")
    return Source(
        _batches(pictures.images, order, episode, labels, factors, settings), plan, pictures.categories, report
    )


def _timed(
    times: np.ndarray, episode: np.ndarray, settings: ImportSettings, report: Report
) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures are shown, and when since the first of their episode."""
    since = times - times[np.searchsorted(episode, episode)]
    gaps = np.diff(since)[np.diff(episode) == 0]
    if len(gaps) and not settings.fps and np.abs(gaps - np.median(gaps)).max() > EVEN * max(np.median(gaps), 1e-9):
        report.unevenly[f"{span(gaps)} s apart"] = None
    rows, shown = at_rate(episode, since, settings.fps)
    return np.array(rows), shown.astype(np.float32)


def _batches(images, order, episode, labels, factors, settings: ImportSettings) -> Iterator[Batch]:
    for first in range(0, len(order), TOGETHER):
        rows = slice(first, first + TOGETHER)
        at = order[rows]
        of = {name: values[rows] for name, values in factors.items()}
        yield Batch(stacked(images[at], size=settings.size), episode[at], labels[rows], of)


def _columns(settings: ImportSettings) -> dict[str, Callable[[], Any]]:
    """The arrays of a file by name, each read (or, of a Zarr, opened) when it is asked for."""
    where = Path(settings.source).expanduser()
    if settings.dataset or (where.is_dir() and not is_zarr(where)):
        return {}
    if where.suffix == ".npz":
        with np.load(where, allow_pickle=False) as arrays:
            return {name: partial(_of_npz, where, name) for name in arrays.files}
    if is_zarr(where):
        import zarr

        node = zarr.open(where, mode="r")
        arrays = arrays_of(node) if isinstance(node, zarr.Group) else {}
        return {name: partial(lambda array: array, array) for name, array in arrays.items()}
    return {}


def _of_npz(where: Path, name: str) -> np.ndarray:
    with np.load(where, allow_pickle=False) as arrays:
        return arrays[name]


def _column(settings: ImportSettings, columns: dict[str, Callable[[], Any]], name: str, count: int) -> np.ndarray:
    """A numeric array of this name beside the pictures."""
    if name not in columns:
        raise SettingError(f"source={settings.source} has no array {name}; known: {', '.join(columns) or 'none'}")
    column = columns[name]()
    if not isinstance(column, np.ndarray):
        try:
            column = numbers(column)[:]
        except SettingError as error:
            raise SettingError(f"source={settings.source} {error}") from None
    if column.shape != (count,) or column.dtype.kind not in "iuf" or not np.isfinite(column).all():
        shape = f"{name} of shape {column.shape}"
        raise SettingError(f"source={settings.source} has {shape}, and not a number for each picture")
    return column
