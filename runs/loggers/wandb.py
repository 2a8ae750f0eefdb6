"""Weights & Biases, by its own settings: WANDB_PROJECT, WANDB_ENTITY, WANDB_MODE=offline, ...

Its files lie in the run's folder, in `wandb`; offline ones are sent later by `wandb sync`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb

from runs.loggers.logger import RunIdentity, ScoreTable, scalars
from runs.store.metrics import Row

PROJECT = "contiguity"


class WandbLogger:
    """A run of W&B, which goes on where ours does; its axis is `frames`."""

    def __init__(self, run: RunIdentity):
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=str(run.folder),
            name=run.name,
            group=run.group,
            id=run.run_id,
            resume="allow",
            settings=wandb.Settings(quiet=True, console="off"),
        )
        self._run.define_metric("*", step_metric="frames")

    def log_settings(self, settings: Mapping[str, Any]) -> None:
        """Its config, by dotted names."""
        self._run.config.update(dict(settings), allow_val_change=True)

    def log_rows(self, series: str, rows: Sequence[Row]) -> None:
        """Its history."""
        for row in rows:
            self._run.log({"frames": row["frames"], **dict(scalars(series, row))})

    def log_picture(self, path: Path, *, frames: int) -> None:
        """An image of the file's name."""
        self._run.log({"frames": frames, path.stem: wandb.Image(str(path))})

    def log_scores(self, table: ScoreTable, *, frames: int) -> None:
        """The table `scores`."""
        rows = [list(row) for row in table.rows]
        self._run.log({"frames": frames, "scores": wandb.Table(columns=list(table.columns), data=rows)})

    def close(self, *, completed: bool) -> None:
        """Finished, or failed where it was stopped before its end; resuming makes it a running one again."""
        self._run.finish(exit_code=0 if completed else 1)
