"""A main job, as what stands around a run knows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from omegaconf import DictConfig

from runs.config import composing
from runs.launch.log import Run, RunLog
from runs.launch.validate import check
from streams.process.signals import Stop

AnyRun = TypeVar("AnyRun", bound=Run)


@dataclass(frozen=True)
class Program(Generic[AnyRun]):
    """A main job: what its settings are, and how a run of them is made and trained."""

    build: Callable[[DictConfig], AnyRun]
    train: Callable[[AnyRun, RunLog, Stop], None]
    validate: Callable[[DictConfig], None]  # raises SettingError where settings contradict one another
    named_code: Callable[[DictConfig], dict[str, Any]]  # settings that lead to code which is none of ours
    schemas: Mapping[tuple[str | None, str], type]
    description: str  # of the command, for --help

    def read(self, overrides: list[str]) -> DictConfig:
        """The settings that command-line overrides ask for."""
        composing.register(self.schemas)
        return composing.read(overrides)

    def check(self, settings: DictConfig) -> DictConfig:
        """The same settings; raises SettingError where they cannot work, before any work is done."""
        check(settings)
        self.validate(settings)
        return settings
