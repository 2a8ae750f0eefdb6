"""A run's settings, scores and records, and the commands that show them.

>>> import runs
>>> run = runs.open("results/NAME")  # doctest: +SKIP
>>> run["train"].tail()  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

import envs  # noqa: F401  registers the worlds, and sets how threads wait before torch is loaded
from envs.command.lazy import lazy
from envs.errors import SettingError

if TYPE_CHECKING:
    from runs.analysis.frames import OpenedRun, open_all
    from runs.analysis.frames import open_run as open
    from runs.evaluation.own_encoder import evaluate
    from runs.evaluation.probes.registry import probe
    from runs.scores import ScoreKey

__all__ = ["OpenedRun", "ScoreKey", "SettingError", "evaluate", "open", "open_all", "probe"]
__getattr__ = lazy(
    __name__,
    {
        "OpenedRun": "runs.analysis.frames",
        "ScoreKey": "runs.scores",
        "evaluate": "runs.evaluation.own_encoder",
        "open": "runs.analysis.frames:open_run",
        "open_all": "runs.analysis.frames",
        "probe": "runs.evaluation.probes.registry",
    },
)
