"""The commands that are printed where a run ends or stops: how it goes on, and what may follow it."""

import itertools
import shlex
from collections.abc import Sequence

from omegaconf import DictConfig

from envs.errors import SettingError
from runs.config import composing
from runs.launch.log import Run
from runs.launch.program import Program
from runs.store.folder import RunFolder
from streams.process.ranks import present


def next_commands(folder: RunFolder, run: Run, program: Program) -> list[str]:
    """Commands that may follow a run, each of which works: to see it, by another rule, and longer."""
    lines, by_another = [f"python -m runs.show {shlex.quote(str(folder.path))} --json"], _by_another_rule(folder, run)
    if not run.settings.run.group or _works(program, by_another):
        lines.append(_online(by_another))
    frames = 2 * max(run.frames, run.settings.run.frames)
    if _extends(run, frames):
        lines.append(f"{resuming_command(folder, run.settings, program)} run.frames={frames}")
    return [f"  {line}" for line in lines]


def _by_another_rule(folder: RunFolder, run: Run) -> list[str]:
    """The overrides of the same run by another rule; in a group, where an experiment may name runs, by a free name."""
    other = "bp" if run.settings.learner.name != "bp" else "dgl"
    own = ("learner", "run.name=", "run.resume=", "stream.record=")
    same = [*(text for text in folder.overrides if not text.startswith(own)), f"learner={other}"]
    if not run.settings.run.group:
        return same
    name = f"{run.settings.run.name}-{other}"
    names = itertools.chain([name], (f"{name}-{count}" for count in itertools.count(2)))
    free = next(each for each in names if not folder.path.with_name(each).exists())
    return [*same, f"run.name={composing.as_text(free)}"]


def _works(program: Program, overrides: list[str]) -> bool:
    """Whether a run may begin with these overrides."""
    try:
        program.check(program.read(overrides))
    except SettingError:
        return False
    return True


def _extends(run: Run, frames: int) -> bool:
    """Whether a run may go on to so many frames."""
    stream, planned = run.settings.stream, run.settings.run.frames
    if stream.name == "replay" and not stream.repeat:  # whose recording may end before
        return False
    run.settings.run.frames = frames
    try:
        run.check_extension(planned)
    except SettingError:
        return False
    finally:
        run.settings.run.frames = planned
    return True


def resuming_command(folder: RunFolder, settings: DictConfig, program: Program) -> str:
    """The command that goes on with a run, with all that it has to say again."""
    elsewhere = [text for text in folder.overrides if composing.leads_elsewhere(text)]
    named = [f"{name}={composing.as_text(value)}" for name, value in program.named_code(settings).items()]
    return _online([f"run.resume={folder.path}", *elsewhere, *named])


def _online(overrides: Sequence[str]) -> str:
    """The main job as a command, for as many processes as these."""
    return shlex.join([*present().launcher(), "-m", "learners.online", *overrides])
