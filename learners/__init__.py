"""Learning rules, their losses and networks, and the main job.

>>> import learners
>>> learner = learners.make("dgl", size=32)
>>> encoder = learners.load("results/NAME")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

import envs  # noqa: F401  registers the worlds, and sets how threads wait before torch is loaded
from envs.command.lazy import lazy
from envs.errors import SettingError

if TYPE_CHECKING:
    from learners.api import Encoder, TrainedRun, load, make, train
    from learners.losses.base import Loss
    from learners.networks.network import Spec
    from learners.rules.base import Learner, LearnerSettings

__all__ = [
    "Encoder",
    "Learner",
    "LearnerSettings",
    "Loss",
    "SettingError",
    "Spec",
    "TrainedRun",
    "load",
    "make",
    "train",
]
__getattr__ = lazy(
    __name__,
    {
        "Encoder": "learners.api",
        "Learner": "learners.rules.base",
        "LearnerSettings": "learners.rules.base",
        "Loss": "learners.losses.base",
        "Spec": "learners.networks.network",
        "TrainedRun": "learners.api",
        "load": "learners.api",
        "make": "learners.api",
        "train": "learners.api",
    },
)
