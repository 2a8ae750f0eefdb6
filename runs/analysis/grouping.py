"""Runs that differ in their seed alone make a group; runs that were scored on different images are refused."""

from collections.abc import Iterable
from fnmatch import fnmatch
from itertools import combinations
from operator import itemgetter
from pathlib import Path
from typing import Any

from envs.command.text import counted
from envs.errors import SettingError
from runs.analysis.reading import LoadedRun, scored
from runs.scores import ScoreKey

BOOKKEEPING = ("seed", "device", "results_dir", "run.*", "eval.*", "watch.*", "stream.record")  # no other experiment
IMAGES = ("eval.train", "eval.validation", "eval.test", "eval.seed", "env.size")  # make other images of every task
UNSEEN = ("env.num_worlds", "env.stagger", "env.split")  # settings of a world that its test set ignores
DRIFT = ("env.drift", "env.phases", "env.phase_length", "env.recurring")  # which it ignores too, if not by phase
RENDERED = (
    None,
    "unseen_categories",
    "moving_objects_dark",
    "moving_objects",
    "moving_meshes",
)  # tasks whose images are of the run's own world


def whole(runs: list[LoadedRun], *, named: Iterable[str], at: int | None) -> tuple[list[LoadedRun], list[LoadedRun]]:
    """The runs that are scored and have come to their end, or to `at`, or are named (else all of them); the others."""
    paths = set(map(Path, named))
    kept: list[LoadedRun] = []
    short: list[LoadedRun] = []
    for run in runs:
        done = run.frames >= (run.settings["run.frames"] if at is None else at) and scored(run)
        (kept if done or run.path in paths else short).append(run)
    return (kept, short) if kept else (short, [])


def grouped(runs: list[LoadedRun]) -> dict[str, list[LoadedRun]]:
    """Runs that differ in seed and bookkeeping alone, by what tells groups apart. Raises SettingError: a seed twice."""
    differing = [name for name in _names(runs) if len(_values(runs, [name])) > 1 and not _fits(name, BOOKKEEPING)]
    telling: list[str] = []
    for name in sorted(differing, key=lambda name: (not name.endswith(".name"), name)):
        if len(_values(runs, [*telling, name])) > len(_values(runs, telling)):
            telling.append(name)
    groups: dict[str, list[LoadedRun]] = {}
    for run in runs:
        parts = [_part(name, run.settings.get(name)) for name in telling]
        groups.setdefault(", ".join(parts) or run.settings["learner.name"], []).append(run)
    for group in groups.values():
        for a, b in combinations(group, 2):
            if a.seed == b.seed:
                raise SettingError(f"{b.path} and {a.path} are one run twice (seed={b.seed}); leave one out")
    return groups


def refuse(runs: list[LoadedRun], keys: list[ScoreKey]) -> None:
    """Checks that runs were scored on the same images. Raises SettingError: the setting, two runs, a way out."""
    of_world = any(key.task in RENDERED for key in keys)
    for name in sorted(_names(runs), key=lambda name: name != "env.name"):  # of two worlds, which they are
        if (name in IMAGES or (of_world and _is_shown(name, runs, keys))) and len(_values(runs, [name])) > 1:
            a, b = runs[0], next(run for run in runs if _frozen(run, name) != _frozen(runs[0], name))
            way_out = "" if name in IMAGES else ", or on what they share, as in --task transfer/digits"
            raise SettingError(
                f"{name} is {a.settings.get(name)} in {a.path} and {b.settings.get(name)} in {b.path}, so they were "
                f"scored on different images; compare them apart{way_out}"
            )
    for task in dict.fromkeys(key.task for key in keys if key.task is not None):
        a = runs[0]
        for b in [run for run in runs if _path_of(run, task) != _path_of(a, task)]:
            raise SettingError(
                f"eval.transfer names {_path_of(a, task)} in {a.path} and {_path_of(b, task)} in {b.path}, so "
                f"{ScoreKey(task).name} is of different images; compare them apart, or on what they share, as in "
                "--task linear"
            )


def _is_shown(name: str, runs: list[LoadedRun], keys: list[ScoreKey]) -> bool:
    """Whether a setting makes other test images of a run's own world."""
    if name == "stream.path":  # of a recording whose world cannot be shown anew
        return any(not run.settings.get("env.id") for run in runs)
    unseen = UNSEEN if any(key.split != "test" for key in keys) else UNSEEN + DRIFT
    return name.startswith("env.") and not _fits(name, unseen)


def _path_of(run: LoadedRun, task: str) -> str | None:
    """Where the pictures of a transfer set given by its path lie."""
    names = [name for name in run.settings.get("eval.transfer") or () if Path(name).stem == task]
    return next((name for name in names if Path(name).name != task), None)


def comparison_step(runs: list[LoadedRun], key: ScoreKey, *, at: int | None) -> int:
    """The frames at which runs are compared: `at`, or their common end. Raises SettingError: no such common frame."""
    shared = set.intersection(*({int(n) for n in run.scores[key]["frames"]} for run in runs))
    ends = {int(run.scores[key]["frames"][-1]): run for run in reversed(runs)}
    if at is None and len(ends) == 1:
        return next(iter(ends))
    if at in shared:
        return at
    common = f"try --at {max(shared)}" if max(shared, default=0) else "no number of frames but 0 is common to all"
    if at is not None:
        raise SettingError(f"--at {at}: not all runs were scored on {key.name} then; {common}")
    (short, a), (long, b) = min(ends.items(), key=itemgetter(0)), max(ends.items(), key=itemgetter(0))
    raise SettingError(f"run.frames: {a.path} was last scored at {short:,} frames and {b.path} at {long:,}; {common}")


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _names(runs: list[LoadedRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.settings))


def _frozen(run: LoadedRun, name: str) -> str:
    return repr(run.settings.get(name))


def _values(runs: list[LoadedRun], names: list[str]) -> set[tuple[str, ...]]:
    return {tuple(_frozen(run, name) for name in names) for run in runs}


def _part(name: str, value: Any) -> str:
    if name.endswith(".name"):
        return str(value)
    if name == "ranks":
        return counted(value or 1, "rank")
    text = "+".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{name.rpartition('.')[2]}={text}"
