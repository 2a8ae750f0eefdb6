"""Runs as objects: settings, series and scores as pandas tables or an xarray Dataset.

>>> run = runs.open("results/NAME")
>>> run["train"].plot(x="frames", y="loss")
>>> runs.open_all("results/*").query("task == 'test instances' and probe == 'linear'")
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from envs.arguments import typed
from envs.errors import SettingError
from runs.analysis.reading import LoadedRun, find, load
from runs.scores import MEASURES, ScoreKey, measure_of
from runs.store.metrics import Series

if TYPE_CHECKING:
    import pandas
    import xarray

PICTURES = (".png", ".svg", ".pdf", ".html")
ABOUT = {  # columns of the tidy table: setting
    "env": "env.name",
    "learner": "learner.name",
    "loss": "loss.name",
    "network": "network.name",
    "pairs": "pairs.name",
    "seed": "seed",
}
OWN_WORLD = "test instances"  # as a task


class OpenedRun:
    """A run, as far as it was committed; its tables are read when they are asked for."""

    def __init__(self, loaded: LoadedRun):
        self._loaded = loaded
        self.path: Path = loaded.path
        self.settings: dict[str, Any] = dict(loaded.settings)  # by their dotted names
        self.facts: dict[str, Any] = dict(loaded.facts)  # frames, updates, weights_sha256, device, ...
        self.notes: list[str] = loaded.notes  # a line for each thing that is damaged, or was altered since

    @property
    def names(self) -> list[str]:
        """The names of the series, of scores and all others."""
        return sorted([*self._loaded.series, *(key.path for key in self._loaded.scores)])

    def __getitem__(self, name: str) -> "pandas.DataFrame":
        """A series as a table: `frames`, then the others in alphabetical order. Raises KeyError: no such series."""
        return _pandas().DataFrame(_columns(self._series(name)))

    def _series(self, name: str) -> Series:
        if name in self._loaded.series:
            return self._loaded.series[name]
        for key, series in self._loaded.scores.items():
            if key.path == name:
                return series
        raise KeyError(f"{self.path} has no series {name}; there are {', '.join(self.names)}")

    @cached_property
    def scores(self) -> "pandas.DataFrame":
        """All scores, one a row: frames, encoder, task, split, probe, block, measure, value (a share, or an R²)."""
        return _pandas().DataFrame(list(_score_rows(self._loaded)))

    def to_xarray(self, *names: str) -> "xarray.Dataset":
        """Series (all, or those named) along an axis `frames` each, whose name is the series' own."""
        try:
            import xarray
        except ImportError as error:
            raise SettingError("to_xarray() needs xarray; install contiguity[analysis]") from error
        data = {}
        for name in names or self.names:
            series = self._series(name)
            axis = f"{name}/frames"
            for column, rows in series.items():
                inner = tuple(f"{name}/{column}_{at}" for at in range(rows.ndim - 1))
                if column != "frames":
                    data[f"{name}/{column}"] = xarray.Variable((axis, *inner), rows)
            data[axis] = xarray.Variable((axis,), series["frames"])
        return xarray.Dataset(data, attrs={"path": str(self.path)})

    @property
    def pictures(self) -> dict[str, Path]:
        """The pictures and pages in the run's folder, by their names."""
        return {path.stem: path for path in sorted(self.path.iterdir()) if path.suffix in PICTURES}

    def __repr__(self) -> str:
        about = " ".join(f"{name}={self.settings.get(of)}" for name, of in ABOUT.items())
        return f"<run {self.path}: {about}, {self.facts.get('frames', 0):,} frames>"


@typed
def open_run(path: str | Path) -> OpenedRun:
    """A run's settings, series and scores; public as `runs.open`. Raises SettingError: no run, or a damaged one."""
    return OpenedRun(load(Path(path).expanduser()))


@typed
def open_all(*patterns: str | Path) -> "pandas.DataFrame":
    """The scores of all runs in folders or patterns with *, one a row, with the run's settings beside them.

    Columns: run, env, learner, loss, network, pairs, seed, and those of `OpenedRun.scores`.

    Raises SettingError: a pattern that has no runs, or a damaged one.
    """
    if not patterns:
        raise SettingError("patterns are not given; give the folder of a run or of several, as in results/*")
    rows = []
    for path in find(map(str, patterns)):
        loaded = load(path)
        about = {"run": str(path)} | {name: loaded.settings.get(of) for name, of in ABOUT.items()}
        rows += [about | row for row in _score_rows(loaded)]
    return _pandas().DataFrame(rows)


def score_row(key: ScoreKey, *, frames: int, measure: str, value: float) -> dict[str, Any]:
    """One score as a row of the tidy table."""
    where = {"task": key.task or OWN_WORLD, "split": key.split, "probe": key.probe, "block": key.block}
    return {"frames": frames, "encoder": key.encoder or "encoder", **where, "measure": measure, "value": value}


def _score_rows(run: LoadedRun) -> Iterator[dict[str, Any]]:
    for key, series in run.scores.items():
        measure = measure_of(series)
        if measure in MEASURES:
            for frames, value in zip(series["frames"], series[measure], strict=True):
                yield score_row(key, frames=int(frames), measure=measure, value=float(value))


def _columns(series: Series) -> dict[str, Iterable[Any]]:
    """The arrays of a series as columns, frames first; of rows that are arrays themselves, an object each."""
    ordered = {"frames": series["frames"]} | {name: rows for name, rows in series.items() if name != "frames"}
    return {name: rows if np.ndim(rows) == 1 else list(rows) for name, rows in ordered.items()}


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise SettingError("tables need pandas; install contiguity[analysis]") from error
    return pandas
