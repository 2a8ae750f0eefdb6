"""The command line of a program: one run, or a sweep of several."""

import math
import shlex
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NoReturn

from omegaconf import DictConfig

from envs.command.text import counted
from envs.errors import SettingError
from runs.config import composing
from runs.config.help import show_help
from runs.config.sweeps import STILL_THERE, STOPPED, SUBMITS, run_sweep
from runs.launch.naming import name_of, place_of, varied_of
from runs.launch.program import Program
from runs.launch.start import MAY_CHANGE, start, start_or_resume
from runs.store.folder import differences
from streams.process.errors import guarded
from streams.process.ranks import join, joined
from streams.process.terminal import say, visible

VALUED = ("--cfg", "-c", "--package", "-p", "--info", "-i")  # of Hydra's flags, those whose value follows
ASSIGNED = ("--package", "--config-path", "--config-name", "--config-dir", "--cfg", "--info", "--experimental-rerun")
REQUEUING = "hydra/launcher=submitit_slurm"

_guarded = partial(
    guarded,
    place="results_dir",
    stopped="no run had begun to learn",
    crowded="try a smaller env.num_worlds, env.size, memory.capacity or eval.train",
)


def launch(program: Program) -> None:
    """The command line of a program: one run, or a sweep; ends the process with its exit status."""
    arguments = sys.argv[1:]
    for argument in arguments:
        if argument.startswith("--") and "=" in argument and argument.partition("=")[0] not in ASSIGNED:
            _guarded(_no_dashes, argument)
    flags = [argument.startswith("-") for argument in arguments]
    of_hydra = [flag or before in VALUED for flag, before in zip(flags, ["", *arguments], strict=False)]
    overrides = [argument for argument, its in zip(arguments, of_hydra, strict=True) if not its]
    composing.register(program.schemas)
    show_help(program.description, composed=True)
    _guarded(join)
    with joined():
        _run_all(program, arguments, overrides)


def _run_all(program: Program, arguments: list[str], overrides: list[str]) -> NoReturn:
    """The one run or the sweep that a command line asks for, of which some arguments are overrides."""
    sweep = _guarded(composing.sweep, overrides)
    if not sweep.is_sweep and len(overrides) == len(arguments):
        sys.exit(_guarded(start, overrides, program))
    shows_help = {"--hydra-help", "--cfg", "-c", "--info", "-i"} & set(arguments)
    samples = () if shows_help else composing.one_at_a_time(sweep.values)
    varied = [name for name, values in sweep.values.items() if len(values) > 1]
    checked = _guarded(_checked, samples, varied, program)
    named = bool(checked and (checked[0].run.group or checked[0].run.name))
    if checked and not named and REQUEUING in arguments:
        _guarded(_no_name)
    statuses: list[int] = []  # of runs in this process

    def job(overrides: list[str]) -> int:
        statuses.append(_guarded(start_or_resume, overrides, varied=varied, program=program, leave=False))
        return statuses[-1]

    status = _guarded(run_sweep, job)
    if status == STOPPED:
        submits = any(text.startswith(SUBMITS) for text in arguments)
        total = math.prod(map(len, sweep.values.values()))
        say([STILL_THERE if submits else _stopped(statuses, total, named=named)])
    elif checked and checked[0].run.group:
        command = shlex.join(["python", "-m", "runs.compare", str(place_of(checked[0]))])
        print(visible(f"the runs beside one another:\n  {command}"))  # noqa: T201
    sys.exit(status)


def _checked(samples: Iterable[list[str]], varied: list[str], program: Program) -> list[DictConfig]:
    """The settings of some runs of a sweep. Raises SettingError: one cannot work, or two would have one folder."""
    checked: list[DictConfig] = []
    begun: dict[Path, tuple[list[str], DictConfig]] = {}  # by their folders
    for overrides in samples:
        settings = program.check(program.read(overrides))
        checked.append(settings)
        name = settings.run.name or (settings.run.group and name_of(settings, varied_of(overrides, varied)))
        if not name:  # which then has the time in it
            continue
        other, before = begun.setdefault(place_of(settings) / name, (overrides, settings))
        if differences(before, settings, ignore=MAY_CHANGE):
            orders = (other, overrides), (overrides, other)
            both = " and ".join(shlex.join(text for text in one if text not in two) for one, two in orders)
            way_out = "leave run.name out" if settings.run.name else "give each part a name of its own"
            raise SettingError(f"{place_of(settings) / name} would be the folder of two runs, {both}; {way_out}")
    return checked


def _stopped(statuses: list[int], total: int, *, named: bool) -> str:
    """What is said of a sweep that was stopped; where its runs are `named`, they are found again."""
    count = f" with {statuses.count(0)} of {counted(total, 'run')} complete" if statuses else ""
    way_on = (
        "the same command goes on with it" if named else "with run.group=NAME, the same command would go on with it"
    )
    return f"the sweep was stopped{count}; {way_on}"


def _no_name() -> None:
    raise SettingError(f"{REQUEUING} may run a job more than once; add run.group=NAME, by which it finds its run again")


def _no_dashes(argument: str) -> None:
    raise SettingError(f"{argument} is no setting; they are written without dashes, as in {argument.lstrip('-')}")
