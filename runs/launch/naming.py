"""Where a run lies, and what it is called."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig

from runs.config.sweeps import label


def varied_of(overrides: Iterable[str], varied: Container[str]) -> list[str]:
    """The overrides that a sweep varies."""
    return [text for text in overrides if text.partition("=")[0] in varied]


def choices_of(overrides: Sequence[str]) -> list[str]:
    """The choices among overrides that tell a run from others beside its world, learner and seed."""
    return [text for text in overrides if text.partition("=")[0] in ("loss", "network", "pairs", "memory")]


def place_of(settings: DictConfig) -> Path:
    """The folder that the run's own lies in."""
    return Path(settings.results_dir) / (settings.run.group or "")


def name_of(settings: DictConfig, varied: Sequence[str]) -> str:
    """A name for a run: in a group by what is varied, else with the time."""
    name = label(varied, learner=settings.learner.name, seed=settings.seed)
    now = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return name if settings.run.group else f"{settings.env.name}-{name}-{now}"
