"""The settings of a run as such."""

from dataclasses import dataclass, field


@dataclass
class RunSettings:
    """How long, and where it is kept"""

    name: str | None = None  # of the folder in results_dir; made up from env, learner, seed and time where absent
    group: str | None = None  # folder in results_dir shared by the runs of one experiment; names then have no time
    frames: int = 32_768  # world frames to learn from
    log_every: int = 2_048  # frames between two rows of the training metrics
    save_every: int = 16_384  # frames between two checkpoints
    keep: int = 3  # checkpoints kept
    resume: str | None = None  # folder of a run to go on with; auto: the one of run.name, begun if it is not there
    loggers: list[str] = field(default_factory=list)  # programs that are told of the run: tensorboard, wandb, mlflow
