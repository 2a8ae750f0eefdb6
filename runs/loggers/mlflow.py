"""MLflow, at MLFLOW_TRACKING_URI; where that is not set, in an SQLite store `mlflow.db` beside the run's folder."""

import fcntl
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from runs.loggers.logger import RunIdentity, ScoreTable, scalars
from runs.store.metrics import Row

EXPERIMENT = "contiguity"  # of runs without a group
RUN_ID = "contiguity.run_id"  # the tag by which a resumed run is found again
STORE, ARTIFACTS = "mlflow.db", "mlflow_artifacts"
MOST_METRICS, MOST_PARAMS = 1000, 100  # that MLflow takes at once
LONGEST = 6000  # characters of a parameter


class MlflowLogger:
    """A run of the experiment that is named after our run's group; its steps are frames."""

    def __init__(self, run: RunIdentity):
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)  # else a new store is told of in lines of theirs
        beside, uri = run.folder.resolve().parent, os.environ.get("MLFLOW_TRACKING_URI")
        with _alone(beside / f"{STORE}.lock"):
            self._client = MlflowClient(uri or f"sqlite:///{beside / STORE}")
            experiment = self._experiment(run.group or EXPERIMENT, None if uri else (beside / ARTIFACTS).as_uri())
            self._id = self._run_of(run, experiment)

    def _experiment(self, name: str, artifacts: str | None) -> str:
        known = self._client.get_experiment_by_name(name)
        return known.experiment_id if known else self._client.create_experiment(name, artifacts)

    def _run_of(self, run: RunIdentity, experiment: str) -> str:
        """The identifier of the run there, which may have been begun before."""
        found = self._client.search_runs([experiment], f"tags.`{RUN_ID}` = '{run.run_id}'")
        if not found:
            tags = {RUN_ID: run.run_id, MLFLOW_RUN_NAME: run.name}
            return self._client.create_run(experiment, tags=tags).info.run_id
        self._client.update_run(found[0].info.run_id, status="RUNNING")
        return found[0].info.run_id

    def log_settings(self, settings: Mapping[str, Any]) -> None:
        """Its parameters, which never change: a run that goes on for longer keeps those that it began with."""
        known = self._client.get_run(self._id).data.params
        params = [Param(name, str(value)[:LONGEST]) for name, value in settings.items() if name not in known]
        for start in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(self._id, params=params[start : start + MOST_PARAMS])

    def log_rows(self, series: str, rows: Sequence[Row]) -> None:
        """Its metrics."""
        now = int(1000 * time())
        metrics = [
            Metric(re.sub(r"[^\w.\- /]", "_", name), value, now, int(row["frames"]))
            for row in rows
            for name, value in scalars(series, row)
        ]
        for start in range(0, len(metrics), MOST_METRICS):
            self._client.log_batch(self._id, metrics=metrics[start : start + MOST_METRICS])

    def log_picture(self, path: Path, *, frames: int) -> None:
        """An artifact of the file's name."""
        self._client.log_artifact(self._id, str(path))

    def log_scores(self, table: ScoreTable, *, frames: int) -> None:
        """The artifact `scores.json`, as MLflow keeps tables."""
        self._client.log_dict(self._id, {"columns": table.columns, "data": table.rows}, "scores.json")

    def close(self, *, completed: bool) -> None:
        """Finished, or killed where it was stopped before its end."""
        self._client.set_terminated(self._id, "FINISHED" if completed else "KILLED")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process after the other: a store that two begin at once fails one of them."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
