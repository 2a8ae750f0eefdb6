"""How weights follow their gradients: an optimiser of torch's, and a learning rate that needs no end."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import optim
from torch.nn import Parameter

from envs.errors import SettingError, check_choices

OPTIMISERS = {
    name.lower(): getattr(optim, name)
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam")
}
FUSED = ("adam", "adamw", "sgd")  # one kernel for all weights, on CPU and CUDA
WITH_MOMENTUM = ("sgd", "rmsprop")


@dataclass
class OptimizerConfig:
    """The optimiser and its learning rate. Raises SettingError when made: an unknown name, a setting without a use."""

    lr: float = 1e-3  # learning rate
    optimiser: str = "adam"  # or adamw, sgd, rmsprop, adagrad, adadelta, adamax, nadam, radam
    momentum: float = 0.0  # of sgd and rmsprop
    weight_decay: float = 0.0  # with feedback=updated this is Kolen and Pollack's rule
    lr_schedule: str = "constant"  # or inverse_sqrt: after the warm-up it falls as one over the root of the updates
    warmup: int = 0  # updates in which the learning rate rises to lr

    def __post_init__(self):
        check_choices(self, group="learner", optimiser=OPTIMISERS, lr_schedule=("constant", "inverse_sqrt"))
        if self.lr <= 0:
            raise SettingError(f"learner.lr={self.lr} would learn nothing; try 0.001")
        if self.momentum and self.optimiser not in WITH_MOMENTUM:
            raise SettingError(
                f"learner.momentum={self.momentum} has no use with learner.optimiser={self.optimiser}; only "
                f"{' and '.join(WITH_MOMENTUM)} have one"
            )
        for name, value in (("momentum", self.momentum), ("weight_decay", self.weight_decay), ("warmup", self.warmup)):
            if value < 0:
                raise SettingError(f"learner.{name}={value} must be 0 or more")
        if self.lr_schedule == "inverse_sqrt" and not self.warmup:
            raise SettingError(
                "learner.lr_schedule=inverse_sqrt falls after the warm-up; with learner.warmup=0 try 500 updates"
            )

    def build(self, parameters: Iterable[Parameter]) -> optim.Optimizer:
        """An optimiser of these weights, before its first step."""
        keywords: dict[str, float] = {"fused": True} if self.optimiser in FUSED else {}
        keywords |= {"momentum": self.momentum} if self.optimiser in WITH_MOMENTUM else {}
        return OPTIMISERS[self.optimiser](parameters, lr=self.lr, weight_decay=self.weight_decay, **keywords)

    def lr_at(self, update: int) -> float:
        """The learning rate of an update, counted from 0: a rise to `lr` in `warmup` updates, then the schedule.

        inverse_sqrt: `lr sqrt(warmup / update)` (Vaswani et al. 2017, "Attention is all you need", section 5.3).
        """
        rise = min(1.0, (update + 1) / max(self.warmup, 1))
        fall = (self.warmup / max(update + 1, self.warmup)) ** 0.5 if self.lr_schedule == "inverse_sqrt" else 1.0
        return self.lr * rise * fall
