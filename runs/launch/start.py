"""One run, begun or gone on with: its settings, its folder, what is done in turn, the last table."""

import shlex
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig

from envs.command.startup_errors import of_memory
from envs.command.text import counted
from envs.devices import device
from envs.errors import SettingError
from envs.settings import as_object, check_given
from runs.analysis.reading import load_numbers
from runs.analysis.summary import final_scores, summary_table
from runs.config import composing
from runs.evaluation.evaluation import Evaluation, is_pending
from runs.evaluation.world_tasks import drift_of
from runs.launch.log import NoMetrics, Run, RunLog
from runs.launch.naming import choices_of, name_of, place_of, varied_of
from runs.launch.pictures import pictures
from runs.launch.program import AnyRun, Program
from runs.launch.progress import Progress
from runs.launch.suggestions import next_commands, resuming_command
from runs.loggers.logger import RunIdentity
from runs.loggers.registry import Loggers
from runs.store.checkpoint import load_newest
from runs.store.folder import RunFolder, differences, flat
from runs.store.metrics import Metrics, facts, latest
from runs.store.record import has_begun, has_numbers, read_record
from streams.process.ranks import Ranks, SharedStop, join, present, restarts
from streams.process.signals import Stop
from streams.process.terminal import Terminal, say, visible
from streams.recording.writer import check_free

AUTO = "auto"  # the value of run.resume by which one command begins a run, goes on with it, and passes it over
MAY_CHANGE = ("run.frames", "run.resume", "run.loggers", "results_dir", "device")  # between a run and its resumption


def start_or_resume(overrides: list[str], *, varied: list[str], program: Program) -> int:
    """One run, of a sweep or to be told again: begun, resumed where it was interrupted, or passed over where complete.

    Where it has no name, it is named after what the sweep varies.

    Raises SettingError: its folder holds a run with other settings.
    """
    settings, ranks = program.read(overrides), join()  # in a job of submitit's, whose tasks are ranks
    if settings.run.resume == AUTO:
        settings.run.resume = None
        overrides = [*(text for text in overrides if not text.startswith("run.resume=")), "run.resume=null"]
    own = varied_of(overrides, varied)
    if settings.run.group and not settings.run.name:
        settings.run.name = name_of(settings, own)
        overrides = [*overrides, f"run.name={settings.run.name}"]
    folder = RunFolder(place_of(settings) / (settings.run.name or ""))
    if settings.run.resume or not ranks.gather(folder.is_run)[0]:  # rank 0 may begin it while others still look
        return start(overrides, program, varied=own)
    changed = differences(folder.settings_over(settings), settings, ignore=MAY_CHANGE)
    if changed:
        other = "run.group" if settings.run.group else "run.name"
        raise SettingError(
            f"{folder.path} holds a run with other settings ({'; '.join(changed)}); choose another {other}"
        )
    frames = facts(folder.metrics).get("frames", 0) if has_begun(folder.metrics) else 0
    complete = frames >= settings.run.frames
    complete = complete and not is_pending(settings, frames=frames, latest=latest(folder.metrics))
    if ranks.gather(complete)[0]:
        print(visible(f"{folder.path}: is complete, passed over"))  # noqa: T201
        return 0
    may_change = [text for text in overrides if text.startswith(("device=", "run.loggers="))]
    may_change.append(f"run.frames={settings.run.frames}")
    return _resume(str(folder.path), may_change, program, said=Said(overrides, flat(settings)))


def start(overrides: list[str], program: Program, *, varied: Sequence[str] = ()) -> int:
    """One run from its overrides, of which a sweep varies some, to its last table; the exit status."""
    settings, ranks = program.read(overrides), present()
    if settings.run.resume == AUTO:
        if not (settings.run.name or settings.run.group):
            raise SettingError(
                f"run.resume={AUTO} goes on with the run of one name; add run.name=NAME or run.group=NAME"
            )
        chosen = [text.partition("=")[0] for text in choices_of(overrides)]
        return start_or_resume(overrides, varied=chosen, program=program)
    before = _folder_before(overrides, settings)
    if before:
        return _resume(before, [], program, said=Said(overrides, flat(settings)))
    if settings.run.resume:
        said = Said(overrides, composing.given(overrides))
        return _resume(settings.run.resume, overrides, program, said=said)
    program.check(settings)
    check_same(settings, ranks)
    if not varied:  # in a sweep a setting may have a use in some of its runs
        check_given(as_object(settings), composing.given(overrides))
    if settings.stream.get("record"):
        check_free(settings.stream.record, setting="stream.record")
    settings.device = str(ranks.own_device(device(settings.device)))
    settings.run.name = ranks.gather(settings.run.name or name_of(settings, varied or choices_of(overrides)))[0]
    run, evaluation = program.build(settings), _evaluation(settings)  # what cannot work says so before it has a folder
    kept, place, name = composing.as_values(overrides, settings), place_of(settings), settings.run.name
    with RunFolder.create(place, name, settings, kept) if ranks.first else RunFolder(place / name) as folder:
        metrics = None
        if ranks.first:
            metrics = Metrics.create(folder.metrics, _facts(settings), run_id=folder.run_id)
        ranks.remember_folder(_command(overrides), str(folder.path))
        return _follow(run, evaluation, folder, shared_metrics(metrics, folder, ranks), program)


class Said(NamedTuple):
    """What the command line of this process says, and no folder."""

    overrides: list[str]
    settings: dict[str, Any]  # by their dotted names


def _resume(path: str, overrides: list[str], program: Program, *, said: Said) -> int:
    """Goes on with a run, with overrides that may change something."""
    ranks = present()
    ranks.remember_folder(_command(said.overrides), path)
    with RunFolder.open(Path(path)) if ranks.first else RunFolder(Path(path)) as folder:
        settings, planned = _resumed(folder, overrides, program, said)
        program.check(settings)
        check_same(settings, ranks)
        settings.device = str(ranks.own_device(device(settings.device)))
        run, evaluation = program.build(settings), _evaluation(settings)
        run.check_extension(planned)
        notes = _notes(folder)
        where = device(settings.device)
        state, damaged = load_newest(folder.checkpoints, device=where, run_id=folder.run_id, ranks=ranks)
        notes += [f"{file} is damaged or not ours; the checkpoint before it is used" for file in damaged]
        if state is None:
            _check_fresh(folder)
        else:
            notes += _load(run, state, folder)
        metrics = _metrics_from(run, folder, begun=state is not None) if ranks.first else None
        say([*notes, *(metrics.notes if metrics else ())])
        return _follow(run, evaluation, folder, shared_metrics(metrics, folder, ranks), program)


def _metrics_from(run: Run, folder: RunFolder, *, begun: bool) -> Metrics:
    """The metrics of a run that goes on, cut back to where it is, or empty ones."""
    if not begun:
        metrics = Metrics.create(folder.metrics, _facts(run.settings), run_id=folder.run_id)
    else:
        metrics = Metrics.open(folder.metrics, cut_to=run.frames)
        folder.moves_to(run.settings.device)
    folder.vouch(metrics.run_id)
    return metrics


def _resumed(folder: RunFolder, overrides: list[str], program: Program, said: Said) -> tuple[DictConfig, int]:
    """The settings that a run goes on with, and how many frames it had been going to see.

    Raises SettingError: others than it began with are asked for, or its folder names code that the command line does
    not name.
    """
    path, saved = folder.path, folder.overrides
    unsaid = [text for text in saved if composing.leads_elsewhere(text) and text not in said.overrides]
    if not unsaid:
        new = [text for text in overrides if not (composing.leads_elsewhere(text) and text in saved)]
        began, asked = program.read(saved), program.read([*saved, *new])
        settings = folder.settings_over(began)
        named = program.named_code(settings)
        differ = {name: value for name, value in named.items() if str(said.settings.get(name)) != str(value)}
        unsaid = [f"{name}={composing.as_text(value)}" for name, value in differ.items()]
    if unsaid:
        raise SettingError(
            f"run.resume={path} leads to code or data that is not its own, which counts only if it is said again; if "
            f"you trust it, add {shlex.join(unsaid)}"
        )
    as_long = program.read([*saved, f"run.frames={asked.run.frames}"])  # which other settings may follow
    changed = differences(as_long, asked, ignore=MAY_CHANGE)
    if changed:
        way_out = f"leave out {'; '.join(changed)}"
        if any(text.startswith("eval.transfer") for text in changed):
            way_out += f" (python -m runs.score {shlex.quote(str(path))} DATA scores a run on other data)"
        raise SettingError(f"run.resume={path} goes on with the settings it began with; {way_out}")
    if any(text.startswith("device=") for text in overrides):
        settings.device = str(device(asked.device))
    planned, settings.run.frames = settings.run.frames, asked.run.frames
    settings.run.loggers = asked.run.loggers
    return settings, planned


def _notes(folder: RunFolder) -> list[str]:
    """Lines about files that were altered since the run began. Raises SettingError: its numbers are of another run."""
    return folder.check(read_record(folder.metrics).run_id if has_numbers(folder.metrics) else folder.run_id)


def _check_fresh(folder: RunFolder) -> None:
    """Raises SettingError where a run without a checkpoint has numbers that beginning again would erase."""
    last = max(latest(folder.metrics).values()) if has_begun(folder.metrics) else 0
    if last:
        again = shlex.join(text for text in folder.overrides if not text.startswith(("run.name=", "run.resume=")))
        raise SettingError(
            f"{folder.path} has numbers up to {last:,} frames and no checkpoint to go on from; they are not erased: "
            f"put a checkpoint back into {folder.checkpoints}, or begin another run: python -m learners.online {again}"
        )


def _load(run: Run, state: dict[str, Any], folder: RunFolder) -> list[str]:
    """Takes a run to where a checkpoint was written; a line where its numbers know of more than that."""
    try:
        run.load_state_dict(state)
    except Exception as error:  # of a state that this version's parts do not take, whatever they raise
        if of_memory(error) or isinstance(error, SettingError):
            raise
        raise SettingError(
            f"run.resume={folder.path} was written by another version, whose checkpoints this one does not understand "
            f"({type(error).__name__}: {error}); versions.json there says which"
        ) from error
    known, notes = facts(folder.metrics).get("frames", 0), []
    if "streams" in state:
        ranks = counted(run.ranks.size, "rank")
        notes = [
            f"{folder.path} goes on with {ranks} and was saved by {len(state['streams'])}: its frames are "
            "the same, its weights not to the last bit, since sums over ranks are rounded in another order"
        ]
    if known > run.frames:
        at = f"its checkpoint at {run.frames:,} frames"
        notes += [f"{folder.path} goes on from {at}; numbers up to {known:,} are made again"]
    return notes


def _evaluation(settings: DictConfig) -> Evaluation | None:
    """What scores the run; on the first of several ranks."""
    return Evaluation(settings, device(settings.device)) if settings.eval.every and present().first else None


def _facts(settings: DictConfig) -> dict:
    facts = {"run": settings.run.name, "learner": settings.learner.name, "loss": settings.loss.name}
    facts |= {"seed": settings.seed, "device": settings.device, "drift": drift_of(settings)}
    facts |= {"ranks": present().size} if present().size > 1 else {}
    return {name: of for name, of in facts.items() if of != {}}


def _follow(
    run: AnyRun,
    evaluation: Evaluation | None,
    folder: RunFolder,
    metrics: Metrics | NoMetrics,
    program: Program[AnyRun],
) -> int:
    """Trains to the end, or to where it is stopped, and tells all loggers of it; the exit status."""
    settings = run.settings
    identity = RunIdentity(folder.path, settings.run.name, settings.run.group, metrics.run_id, run.frames)
    with Loggers(settings.run.loggers if run.ranks.first else [], identity) as loggers:
        loggers.settings(flat(settings))
        if isinstance(metrics, Metrics):
            metrics.mirror = loggers.rows
        try:
            return _trained(run, evaluation, folder, metrics, program, loggers)
        except KeyboardInterrupt:
            where = " from the last checkpoint" if any(folder.checkpoints.glob("*.pt")) else ""
            way_on = f"go on{where} with {resuming_command(folder, settings, program)}"
            raise KeyboardInterrupt(way_on) from None


def _trained(
    run: AnyRun,
    evaluation: Evaluation | None,
    folder: RunFolder,
    metrics: Metrics | NoMetrics,
    program: Program[AnyRun],
    loggers: Loggers,
) -> int:
    torch.backends.cudnn.deterministic = True  # else cuDNN may add in another order each time
    console = Terminal()
    tell = partial(console.print, soft_wrap=True)
    with (
        closing(run.stream.frames),
        Stop() if run.ranks.size == 1 else SharedStop(run.ranks) as stop,
        Progress(console, frames=run.frames, total=run.settings.run.frames) as progress,
    ):
        before = f", on from {run.frames:,} frames" if run.frames else ""
        progress.say(f"{folder.path}: {run.settings.learner.name} on {run.settings.device}{before}")
        if run.finished and not is_pending(run.settings, frames=run.frames, latest=metrics.latest):
            progress.say(f"it is complete: {run.frames:,} frames; a larger run.frames goes on")
        program.train(run, RunLog(run, evaluation, folder, metrics, progress, stop), stop)
    pending = is_pending(run.settings, frames=run.frames, latest=metrics.latest)
    if stop and (run.frames < run.settings.run.frames or pending):
        tell(f"stopped and saved at {run.frames:,} frames; go on with")
        tell(f"  {resuming_command(folder, run.settings, program)}")
        return 128 + stop.signal
    if not run.ranks.first:
        return 0
    loaded = load_numbers(folder.path)
    console.print(summary_table(loaded))
    paths = pictures(folder, run.preview(), loaded)
    loggers.end(paths, final_scores(loaded), frames=run.frames)
    for line in (*paths, "try next:", *next_commands(folder, run, program)):
        tell(str(line))
    return 0


def _folder_before(overrides: list[str], settings: DictConfig) -> str | None:
    """The run of this command that goes on, where `torchrun` has started it again."""
    if not restarts():
        return None
    named = str(place_of(settings) / settings.run.name) if settings.run.name and not settings.run.resume else None
    before = present().folder_before(_command(overrides)) or named
    return before if before and RunFolder(Path(before)).is_run else None


def _command(overrides: list[str]) -> str:
    """What a command is known by, where it is started again."""
    return sha256(shlex.join(overrides).encode()).hexdigest()


def check_same(settings: DictConfig, ranks: Ranks) -> None:
    """Raises SettingError where ranks were started with different settings, or on recordings of different length."""
    asked = ranks.gather({name: str(value) for name, value in flat(settings).items() if name != "device"})
    for rank, other in enumerate(asked):
        names = [name for name in {*asked[0], *other} if asked[0].get(name) != other.get(name)]
        if names:
            each = (
                f"{name}: {asked[0].get(name)} on rank 0, {other.get(name)} on rank {rank}" for name in sorted(names)
            )
            raise SettingError(f"ranks have different settings ({'; '.join(each)}); start all by one command")


def shared_metrics(metrics: Metrics | None, folder: RunFolder, ranks: Ranks) -> Metrics | NoMetrics:
    """The first rank's metrics; on the others, what stands for them.

    Raises SettingError: another rank does not see the folder of the run.
    """
    run_id, begun = ranks.gather((metrics.run_id, metrics.begun) if metrics else ("", False))[0]
    if not all(ranks.gather(folder.is_run)):
        raise SettingError(
            f"{folder.path} is not seen by all ranks; give a results_dir that is the same for all of them"
        )
    return metrics or NoMetrics(run_id, begun=begun)
