"""The loggers by the names that run.loggers gives, and all of a run's as one, which never stops it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from envs.errors import SettingError, unknown
from runs.loggers.logger import Logger, RunIdentity, ScoreTable
from runs.store.metrics import Row
from streams.process.terminal import say


class LoggerEntry(NamedTuple):
    """Where a logger is, and what it needs."""

    module: str  # imported only where the logger is asked for
    class_name: str
    extra: str  # of the distribution, which installs the packages
    packages: tuple[str, ...]


LOGGERS = {
    "tensorboard": LoggerEntry("runs.loggers.tensorboard", "TensorBoardLogger", "tensorboard", ("tensorboard",)),
    "wandb": LoggerEntry("runs.loggers.wandb", "WandbLogger", "wandb", ("wandb",)),
    "mlflow": LoggerEntry("runs.loggers.mlflow", "MlflowLogger", "mlflow", ("mlflow", "sqlalchemy", "alembic")),
}


def check(names: Iterable[str]) -> None:
    """Raises SettingError: there is no logger of that name, or a package that it needs is not installed."""
    for name in names:
        if name not in LOGGERS:
            raise unknown("run.loggers", name, list(LOGGERS))
        entry = LOGGERS[name]
        for package in entry.packages:
            if find_spec(package) is None:
                raise SettingError(
                    f"run.loggers=[{name}] needs the package {package}; pip install 'contiguity[{entry.extra}]', or "
                    f"leave {name} out"
                )


class Loggers:
    """A run's loggers; a context manager. One that fails is told of in one line, and is then left out."""

    def __init__(self, names: Sequence[str], run: RunIdentity):
        self._loggers: dict[str, Logger] = {}
        self._completed = False
        for name in names:
            self._try(name, partial(self._begin, name, run))

    def _begin(self, name: str, run: RunIdentity) -> None:
        entry = LOGGERS[name]
        self._loggers[name] = getattr(import_module(entry.module), entry.class_name)(run)

    def __enter__(self) -> "Loggers":
        return self

    def __exit__(self, *_) -> None:
        self._each(lambda logger: logger.close(completed=self._completed))

    def settings(self, settings: Mapping[str, Any]) -> None:
        """The settings of the run by their dotted names."""
        self._each(lambda logger: logger.log_settings(settings))

    def rows(self, series: str, rows: Sequence[Row]) -> None:
        """Rows of a series that were committed."""
        self._each(lambda logger: logger.log_rows(series, rows))

    def end(self, pictures: Sequence[Path], scores: ScoreTable, *, frames: int) -> None:
        """What the run ends with, which it has now."""
        for path in pictures:
            self._each(lambda logger: logger.log_picture(path, frames=frames))  # noqa: B023  called at once
        self._each(lambda logger: logger.log_scores(scores, frames=frames))
        self._completed = True

    def _each(self, call: Callable[[Logger], None]) -> None:
        for name, logger in list(self._loggers.items()):
            self._try(name, partial(call, logger))

    def _try(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except (Exception, SystemExit) as error:  # whatever another program raises
            self._loggers.pop(name, None)
            say([f"run.loggers: {name} fails ({type(error).__name__}: {error}); the run goes on without it"])
