"""Many runs at once: found in folders, told apart by their settings, and kept from what should not be averaged."""

import glob
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from envs.errors import SettingError
from runs.store.folder import RunFolder, flat
from runs.store.metrics import Series, read

METRICS = "metrics.zarr"
APART = ("seed", "device", "results_dir", "run.*", "eval.*", "watch.*", "stream.record")  # make no other experiment
IMAGES = ("eval.train", "eval.validation", "eval.test", "eval.seed", "env.size")  # make other images of every task
UNSEEN = ("env.num_worlds", "env.stagger", "env.split")  # settings of a world that its test set ignores
DRIFT = ("env.drift", "env.phases", "env.phase_length", "env.recurring")  # which it ignores too, if not by phase
RENDERED = ("transfer/unseen_categories", "transfer/moving_objects_dark")  # transfer to images of the world itself
MEASURES = {"top1": "top-1", "r2": "R²"}  # the number that stands for a score


class Found(NamedTuple):
    """One run, as far as it was committed."""

    path: Path
    facts: dict[str, Any]  # of metrics.zarr
    settings: dict[str, Any]  # {dotted name: value}
    series: dict[str, Series]

    @property
    def seed(self) -> int:
        return self.settings["seed"]

    @property
    def frames(self) -> int:
        return self.facts.get("frames", 0)


def find(places: Iterable[str]) -> list[Path]:
    """The folders of runs that places name: runs, folders of runs (at any depth), and patterns with * of both.

    Raises:
        SettingError: a place that holds no run.
    """
    found = []
    for place in places:
        matches = sorted(glob.glob(place)) if glob.has_magic(place) else [place]  # noqa: PTH207  it may be absolute
        runs = [run for match in matches for run in _within(Path(match))]
        if not runs:
            raise SettingError(
                f"{place} holds no run; give the folder of one, or one that has some, as in results/NAME"
            )
        found += runs
    return list(dict.fromkeys(found))


def _within(place: Path) -> list[Path]:
    """A run itself, or those in a folder that have written a number: others of a sweep may only just have begun."""
    if RunFolder(place).is_run or (place / METRICS).is_dir():
        return [place]
    if not place.is_dir() or place.suffix == ".zarr":
        return []
    entries = [entry for entry in sorted(place.iterdir()) if not entry.name.startswith(".")]
    found = [run for entry in entries for run in _within(entry)]
    return [run for run in found if (run / METRICS / "zarr.json").is_file()]


def load(path: Path, *, series: tuple[str, ...] = ("*",)) -> Found:
    """A run, and those of its series whose names fit one of the patterns.

    Raises:
        SettingError: no run, one of another format, a damaged one, or one that has not written any number yet.
    """
    facts, found = read(path / METRICS, only=series)
    folder = RunFolder(path)
    if not folder.is_run:
        raise SettingError(f"{path} has numbers and no settings (.hydra/config.yaml); it cannot be told from others")
    return Found(path, facts, flat(folder.settings), found)


def whole(runs: list[Found], *, named: Iterable[str], at: int | None) -> tuple[list[Found], list[Found]]:
    """The runs that are scored and have come to their end, or to `at`, or are named (else all of them); the others."""
    named = {Path(place) for place in named}
    kept, short = [], []
    for run in runs:
        done = run.frames >= (run.settings["run.frames"] if at is None else at) and scored(run)
        (kept if done or run.path in named else short).append(run)
    return (kept, short) if kept else (short, [])


def measure(series: Series) -> str | None:
    """The name of the number that stands for a score."""
    return next((name for name in MEASURES if name in series), None)


def scored(run: Found, patterns: Iterable[str] = ("*",)) -> list[str]:
    """What a run was scored on: `linear`, `transfer/digits`, ..."""
    names = [name.removeprefix("eval/") for name in run.series if name.startswith("eval/")]
    return [
        name
        for name in names
        if any(fnmatch(name, pattern) for pattern in patterns) and measure(run.series[f"eval/{name}"])
    ]


def baseline(run: Found, name: str, task: str) -> float:
    """What a baseline reaches on a task, nan where it was not measured. A random encoder is a run's own first score."""
    series = run.series.get(f"eval/{task}" if name == "random_encoder" else f"baseline/{name}/{task}")
    return float(series[measure(series)][0]) if series else np.nan


def score(run: Found, task: str, *, at: int) -> float:
    """The score of a task when a run had seen `at` frames."""
    series = run.series[f"eval/{task}"]
    return float(series[measure(series)][series["frames"] == at][-1])


def grouped(runs: list[Found]) -> dict[str, list[Found]]:
    """Runs that differ in nothing but seed and bookkeeping, under the fewest settings that tell the groups apart.

    Raises:
        SettingError: one seed twice in a group, which would be counted as two.
    """
    differing = [name for name in _names(runs) if len(_values(runs, [name])) > 1 and not _fits(name, APART)]
    telling: list[str] = []
    for name in sorted(differing, key=lambda name: (not name.endswith(".name"), name)):
        if len(_values(runs, [*telling, name])) > len(_values(runs, telling)):
            telling.append(name)
    groups: dict[str, list[Found]] = {}
    for run in runs:
        parts = [_part(name, run.settings.get(name)) for name in telling]
        groups.setdefault(", ".join(parts) or run.settings["learner.name"], []).append(run)
    for group in groups.values():
        seen: dict[int, Path] = {}
        for run in group:
            if run.seed in seen:
                raise SettingError(
                    f"{run.path} and {seen[run.seed]} are one run twice (seed={run.seed}); leave one out"
                )
            seen[run.seed] = run.path
    return groups


def refuse(runs: list[Found], tasks: list[str]) -> None:
    """Nothing where the scores of runs are of the same images.

    Raises:
        SettingError: they are not; names the setting, two runs and a way out.
    """
    tasks = [task.removeprefix("finetune/") for task in tasks]  # which is of the images that the probe is of
    of_world = any(not task.startswith("transfer/") or task in RENDERED for task in tasks)
    for name in sorted(_names(runs), key=lambda name: name != "env.name"):  # of two worlds, which they are
        if (name in IMAGES or (of_world and _is_shown(name, runs, tasks))) and len(_values(runs, [name])) > 1:
            a, b = runs[0], next(run for run in runs if _frozen(run, name) != _frozen(runs[0], name))
            way_out = "" if name in IMAGES else ", or on what they share, as in --task transfer/digits"
            raise SettingError(
                f"{name} is {a.settings.get(name)} in {a.path} and {b.settings.get(name)} in {b.path}, so they were "
                f"scored on different images; compare them apart{way_out}"
            )
    for task in tasks:
        a, b = runs[0], next((run for run in runs if _path_of(run, task) != _path_of(runs[0], task)), None)
        if b is not None:
            raise SettingError(
                f"eval.transfer names {_path_of(a, task)} in {a.path} and {_path_of(b, task)} in {b.path}, so {task} "
                "is of different images; compare them apart, or on what they share, as in --task linear"
            )


def _is_shown(name: str, runs: list[Found], tasks: list[str]) -> bool:
    """Whether a setting makes other test images of a run's own world."""
    if name == "stream.path":  # of a recording whose world cannot be shown anew
        return any(not run.settings.get("env.id") for run in runs)
    unseen = UNSEEN if any(task.startswith("phases/") for task in tasks) else UNSEEN + DRIFT
    return name.startswith("env.") and not _fits(name, unseen)


def _path_of(run: Found, task: str) -> str | None:
    """Where the pictures of a transfer set given by its path lie."""
    told = [name for name in run.settings.get("eval.transfer") or () if f"transfer/{Path(name).stem}" == task]
    return next((name for name in told if Path(name).name != task.removeprefix("transfer/")), None)


def comparison_step(runs: list[Found], task: str, *, at: int | None) -> int:
    """The number of frames at which runs are compared: `at`, or their ends where all have one.

    Raises:
        SettingError: they ended at different frames, or one of them was not scored then.
    """
    shared = set.intersection(*({int(n) for n in run.series[f"eval/{task}"]["frames"]} for run in runs))
    ends = {int(run.series[f"eval/{task}"]["frames"][-1]): run for run in reversed(runs)}
    if at is None and len(ends) == 1:
        return next(iter(ends))
    if at in shared:
        return at
    common = f"try --at {max(shared)}" if max(shared, default=0) else "no number of frames but 0 is common to all"
    if at is not None:
        raise SettingError(f"--at {at}: not all runs were scored on {task} then; {common}")
    (short, a), (long, b) = min(ends.items(), key=_first), max(ends.items(), key=_first)
    raise SettingError(f"run.frames: {a.path} was last scored at {short:,} frames and {b.path} at {long:,}; {common}")


def _first(pair: tuple) -> Any:
    return pair[0]


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _names(runs: list[Found]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.settings))


def _frozen(run: Found, name: str) -> str:
    return repr(run.settings.get(name))


def _values(runs: list[Found], names: list[str]) -> set[tuple[str, ...]]:
    return {tuple(_frozen(run, name) for name in names) for run in runs}


def _part(name: str, value: Any) -> str:
    if name.endswith(".name"):
        return str(value)
    text = "+".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{name.rpartition('.')[2]}={text}"
