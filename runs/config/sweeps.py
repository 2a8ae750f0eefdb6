"""A sweep: many runs from one command, each in its own folder; any of Hydra's launchers runs them."""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from typing import TextIO, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from envs.errors import SettingError
from runs.config.aliases import current_override
from runs.config.composing import SEARCHPATH, choices
from streams.process.output import Output

SUBMITS = "hydra/launcher=submitit"
STOPPED = 130  # the exit status of a sweep that was stopped
STILL_THERE = "jobs that were submitted go on; the same command waits for them again, scancel ends them"


class Failed(Exception):
    """A run of a sweep that failed after printing why, in the process of this number; the others go on."""


class _WithoutHydra(Output):
    """Standard error without the line that Hydra writes of a run that failed, which has printed why itself."""

    def write(self, text: str) -> int:
        """Writes text that is none of Hydra's."""
        return len(text) if text.startswith("Error executing job with overrides: ") else super().write(text)


def run_sweep(job: Callable[[list[str]], int]) -> int:
    """Hands the command line to Hydra, which calls `job(overrides)` for every run; the worst of their exit statuses.

    A failed job does not keep the others from running; one that was stopped does. In submitit's jobs, its tasks are the
    ranks of one run, and the signal that stopped a run, which has saved, lets submitit submit it again.
    """

    @hydra.main(version_base=None, config_path="pkg://runs.conf", config_name="config")
    def one_of_many(_: DictConfig) -> None:
        given = HydraConfig.get().overrides  # of those to Hydra itself, a run needs to know where to search
        overrides = [*(text for text in given.hydra if text.startswith(SEARCHPATH)), *given.task]
        _name_ranks()
        try:
            status = job(overrides)
        except Exception:  # a mistake of ours, shown now and not when the last run has ended
            traceback.print_exc()
            status = 1
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            raise SystemExit(status)
        if status > 128:
            _hand_on(status - 128)
            raise KeyboardInterrupt
        if status:
            text = f"failed: {' '.join(overrides)}"
            print(text, file=sys.stderr)  # noqa: T201
            raise Failed(text, os.getpid())

    sys.argv[1:] = [current_override(text, is_sweep=True) if "=" in text else text for text in sys.argv[1:]]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra would show once more, as a traceback, what was shown
    try:
        with redirect_stderr(cast(TextIO, _WithoutHydra(sys.stderr))):
            one_of_many()
    except Failed as error:
        text, process = error.args
        if process != os.getpid():  # what a launcher's own processes print may have gone to files
            print(f"{text} (it has printed why; submitit keeps that in results_dir/.submitit)", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return STOPPED
    except HydraException as error:
        raise SettingError(str(error).splitlines()[0]) from error
    return 0


def _name_ranks() -> None:
    """Says to each of several tasks of a submitit job which rank it is, in torchrun's variables."""
    if "SUBMITIT_EXECUTOR" not in os.environ or "RANK" in os.environ:
        return
    from submitit import JobEnvironment
    from submitit.helpers import TorchDistributedEnvironment

    if JobEnvironment().num_tasks > 1:
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False)


def _hand_on(number: int) -> None:
    """Hands a signal on to what took it before the run did, if anything: of submitit's, the job is submitted again."""
    if callable(signal.getsignal(number)):
        signal.raise_signal(number)


def label(overrides: Iterable[str], *, learner: str, seed: int) -> str:
    """A run's name among those of its sweep: `bp-negatives5-seed0` of learner=bp, loss.negatives=5 and seed=0."""
    parts = [learner]
    for override in map(OverridesParser.create().parse_override, overrides):
        value = override.get_value_element_as_str()
        if override.key_or_group not in ("learner", "seed"):
            in_group = override.key_or_group in choices()
            parts.append(value if in_group else override.key_or_group.rpartition(".")[2] + value)
    return re.sub(r"[^\w.+-]+", "_", "-".join([*parts, f"seed{seed}"]))
