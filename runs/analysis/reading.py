"""Runs in folders, loaded: their settings, their numbers, and their scores by key."""

import glob
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from envs.errors import SettingError
from runs.scores import BASELINES, FINETUNE, LABELS, MARK, MEASURES, WORLD, Measure, ScoreKey, measure_of
from runs.store.files import DamagedFileError, Values
from runs.store.folder import CONFIG, RunFolder, flat
from runs.store.metrics import Series, read
from runs.store.record import has_numbers, read_record

METRICS = "metrics.zarr"
TYPES = {"seed": int, "run.frames": int, "env.num_worlds": int, "eval.transfer": list}  # of settings that are shown
NEEDED = ("seed", "run.frames", "learner.name")  # of every table
TYPES |= dict.fromkeys(("env.name", "learner.name", "network.name", "loss.name"), str)


class LoadedRun(NamedTuple):
    """One run, as far as it was committed."""

    path: Path
    facts: dict[str, Any]  # of metrics.zarr
    settings: dict[str, Any]  # {dotted name: value}
    series: dict[str, Series]  # of what is no score: `train`, `speed`, `watch/block1`, ...
    scores: dict[ScoreKey, Series]
    damaged: Mapping[str, str] = MappingProxyType({})  # a line for each series that is left out
    altered: tuple[str, ...] = ()  # a line for each file that was altered since the run began

    @property
    def notes(self) -> list[str]:
        """Lines about what is not as the run wrote it."""
        return [*self.altered, *(f"{line}; it is left out" for line in self.damaged.values())]

    @property
    def seed(self) -> int:
        """The seed of its weights and of its world."""
        return self.settings["seed"]

    @property
    def frames(self) -> int:
        """The frames that it has seen."""
        return self.facts.get("frames", 0)


def find(places: Iterable[str]) -> list[Path]:
    """The folders of runs, at any depth, that places or patterns with * name. Raises SettingError: one has none."""
    paths = []
    for place in places:
        matches = sorted(glob.glob(place)) if glob.has_magic(place) else [place]  # noqa: PTH207  it may be absolute
        runs = [run for match in matches for run in within(Path(match))]
        if not runs:
            raise SettingError(
                f"{place} holds no run; give the folder of one, or one that has some, as in results/NAME"
            )
        paths += runs
    return list(dict.fromkeys(paths))


def within(place: Path) -> list[Path]:
    """A run itself, or those in a folder that have written a number: others of a sweep may only just have begun."""
    if RunFolder(place).is_run or (place / METRICS).is_dir():
        return [place]
    if not place.is_dir() or place.suffix == ".zarr":
        return []
    entries = [entry for entry in sorted(place.iterdir()) if not entry.name.startswith(".")]
    runs = [run for entry in entries for run in within(entry)]
    return [run for run in runs if has_numbers(run / METRICS)]


def load(path: Path, *, series: Iterable[str] = ("*",)) -> LoadedRun:
    """A run and its series that fit a pattern. Raises SettingError: no run, other format, damaged, or no number yet."""
    run, folder = load_numbers(path, series=series), RunFolder(path)
    if not folder.is_run:
        raise SettingError(f"{path} has numbers and no settings (.hydra/config.yaml); it cannot be told from others")
    settings = Values(flat(folder.values), path=path / CONFIG)
    for name, kind in TYPES.items():
        if (name in settings or name in NEEDED) and type(settings[name]) is not kind:
            raise DamagedFileError(path / CONFIG, f"it says {name}={settings[name]}")
    if "ranks" in run.facts:  # which rounds otherwise than one process
        settings["ranks"] = run.facts["ranks"]
    return run._replace(settings=settings)


def load_numbers(path: Path, *, series: Iterable[str] = ("*",)) -> LoadedRun:
    """A run without its settings, which need not be there; damaged series are left out, but for the main score.

    Raises as `load` does.
    """
    damaged: dict[str, str] = {}
    try:
        facts, groups = read(path / METRICS, only=series, damaged=damaged)
        altered = RunFolder(path).check(read_record(path / METRICS).run_id)
    except OSError as error:
        raise SettingError(f"{error.filename or path} cannot be read ({error.strerror})") from error
    if WORLD.path in damaged:
        raise SettingError(damaged[WORLD.path])
    keys = {name: ScoreKey.parse(name) for name in groups}
    if any(key and key.kind not in LABELS for key in keys.values()):
        from runs.evaluation.probes.registry import registered  # slow, and for labels of other probes than ours

        registered()
    others = {name: series for name, series in groups.items() if keys[name] is None}
    scores = {key: groups[name] for name, key in keys.items() if key}
    return LoadedRun(path, facts, {}, others, scores, damaged, tuple(altered))


def planned_frames(path: Path) -> int | None:
    """How many frames a run is to see by its settings; None where they are not there, or damaged."""
    try:
        planned = flat(RunFolder(path).values).get("run.frames")
    except (SettingError, OSError):
        return None
    return planned if type(planned) is int else None


def scored(run: LoadedRun, patterns: Iterable[str] = ("*",)) -> list[ScoreKey]:
    """The keys of a run's own scores whose names fit one of the patterns: `linear`, `transfer/*`, ..."""
    own = [key for key, series in run.scores.items() if key.encoder is None and measure_of(series)]
    return [key for key in own if any(fnmatch(key.name, pattern) for pattern in patterns)]


def task_keys(run: LoadedRun) -> list[ScoreKey]:
    """The keys of the linear probe, one for each task."""
    return [key for key in scored(run) if key == ScoreKey(key.task)]


def probe_keys(run: LoadedRun) -> list[ScoreKey]:
    """The keys of the other probes of the whole encoder on the run's own world, fine-tuning apart."""
    others = [key for key in scored(run) if key == ScoreKey(probe=key.probe)]
    return [key for key in others if key.probe not in (WORLD.probe, FINETUNE)]


def measure_name(run: LoadedRun, key: ScoreKey) -> str:
    """The name in `MEASURES` of what a score is measured in."""
    return next(name for name in MEASURES if name in run.scores[key])


def measure(run: LoadedRun, key: ScoreKey) -> Measure:
    """In what a score is measured."""
    return MEASURES[measure_name(run, key)]


def values(run: LoadedRun, key: ScoreKey) -> np.ndarray:
    """The score (E,) at each evaluation."""
    return run.scores[key][measure_name(run, key)]


def baseline(run: LoadedRun, name: str, key: ScoreKey) -> float:
    """The score of a baseline for the same key, nan where it was not measured."""
    of = _of_baseline(name, key)
    return float(values(run, of)[0]) if of in run.scores else np.nan


def _of_baseline(name: str, key: ScoreKey) -> ScoreKey:
    return key if name == next(iter(BASELINES)) else replace(key, encoder=name)  # the random encoder is a run's first


def feature_count(run: LoadedRun, key: ScoreKey) -> int | None:
    """How many numbers a probe read of an image; None where that was not recorded."""
    counts = run.scores[key].get("features") if key in run.scores else None
    return None if counts is None or not counts[-1] > 0 else int(counts[-1])


def count_text(count: int | None) -> str:
    """A number of features as it is shown."""
    return "" if count is None else f"{count:,}"


def degenerate(run: LoadedRun, key: ScoreKey, *, row: int = -1) -> bool:
    """Whether most of the probes behind a row of scores say little, as `runs.evaluation.probes.registry` tells."""
    shares = run.scores[key].get("degenerate") if key in run.scores else None
    return shares is not None and bool(shares[row] > 0.5)


def baseline_degenerate(run: LoadedRun, name: str, key: ScoreKey) -> bool:
    """The same of a baseline."""
    return degenerate(run, _of_baseline(name, key), row=0)


def marked(text: str, says_little: bool) -> str:
    """A score as text, with the mark where it says little."""
    return text + MARK * (says_little and bool(text))


def score(run: LoadedRun, key: ScoreKey, *, at: int) -> float:
    """The score when a run had seen `at` frames."""
    return float(values(run, key)[row_at(run, key, at=at)])


def row_at(run: LoadedRun, key: ScoreKey, *, at: int) -> int:
    """The row of the score when a run had seen `at` frames."""
    return int(np.flatnonzero(run.scores[key]["frames"] == at)[-1])
