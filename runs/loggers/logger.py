"""What a logger is, and what it is told."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from runs.store.metrics import Row


class RunIdentity(NamedTuple):
    """Which run a logger is told of."""

    folder: Path
    name: str
    group: str | None  # of the runs of one experiment
    run_id: str  # the same each time that the run is resumed
    frames: int  # where it goes on; 0 where it begins


class ScoreTable(NamedTuple):
    """The scores that a run ends with."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


class Logger(Protocol):
    """Told of one run; made from its RunIdentity. What it raises ends its part in the run, and nothing else."""

    def log_settings(self, settings: Mapping[str, Any]) -> None:
        """The settings of the run by their dotted names."""

    def log_rows(self, series: str, rows: Sequence[Row]) -> None:
        """Rows of a series, such as `train`, that were committed; each says its `frames`."""

    def log_picture(self, path: Path, *, frames: int) -> None:
        """A PNG that the run ends with."""

    def log_scores(self, table: ScoreTable, *, frames: int) -> None:
        """The table that the run ends with."""

    def close(self, *, completed: bool) -> None:
        """Nothing more comes: the run has ended, or was stopped before."""


def scalars(series: str, row: Row) -> Iterator[tuple[str, float]]:
    """The numbers of a row by their names `series/name`; not what is an array, or was not measured."""
    for name, value in row.items():
        if name != "frames" and isinstance(value, (int, float)) and not math.isnan(value):
            yield f"{series}/{name}", float(value)
