"""Keys, labels and measures of scores: the one vocabulary of evaluation, metrics, tables, charts and pages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

BASELINES = {  # what no learning reaches: name on disk and in JSON, and its label
    "random_encoder": "random encoder",  # a run's own first score, before any update
    "pixels": "raw pixels",
    "mean_colour": "mean colour",
    "majority_class": "majority class",
    "chance": "chance",
}
ON_TRANSFER = ("adam",)  # probes beside the linear one that other tasks are scored by too
MISTAKES = "mistakes"  # of metrics.zarr, with a group for each task: what its linear probe takes for what
FINETUNE = "finetune"  # the probe for which a copy of the whole encoder learns the task
LABELS: dict[str, str | Callable[[str], str]] = {  # here, since torch takes seconds to import; other probes add theirs
    "linear": "linear probe",
    "factors": lambda name: name,
    "knn": "k-NN",
    "few": lambda count: f"{count} label{'s' * (count != '1')} a class",
    "logistic": "logistic regression",
    "adam": "Adam readout",
    FINETUNE: "fine-tuned",
}


@dataclass(frozen=True)
class Measure:
    """The number that stands for a score."""

    label: str
    unit: str  # in which it is shown
    scale: float  # from the stored number to the shown one
    digits: int  # behind the point

    def text(self, value: float | None, *, missing: str = "-", signed: bool = False) -> str:
        """A stored number as it is shown, `missing` for None and nan."""
        if value is None or value != value:
            return missing
        return f"{self.scale * value:{'+' if signed else ''}.{self.digits}f}"

    @property
    def title(self) -> str:
        """The label with the unit, as in `top-1, %`."""
        return ", ".join(filter(None, [self.label, self.unit]))


MARK = "*"  # behind a score that says little of the features
MARK_NOTE = f"{MARK} the probe gives nearly every image one answer, or the best regularisation is the last one tried"
MEASURES = {"top1": Measure("top-1", "%", 100, 1), "r2": Measure("R²", "", 1, 3)}


def measure_of(series: Mapping[str, Any]) -> str | None:
    """The name of the number that stands for a score, among all that is kept of it; None where there is none."""
    return next((name for name in MEASURES if name in series), None)


def group_patterns(names: Iterable[str]) -> list[str]:
    """Patterns of the groups of metrics.zarr for scores of these names (or patterns of names), with their baselines."""
    return [f"{root}/{name}" for name in names for root in ("eval", "baseline/*")]


@dataclass(frozen=True)
class ScoreKey:
    """What one score is of; `ScoreKey()`: the whole encoder, linear probe. Raises ValueError: one never evaluated."""

    task: str | None = None  # a transfer set; None is the run's own world
    probe: str = "linear"  # `knn`, `few/10`, `factors/position`, `finetune`, ...: a name, and an argument of the probe
    block: int | None = None  # counted from 1; None is what the whole encoder gives
    split: str = "test"  # or `phase0`: the test images of one phase of a world that drifts
    encoder: str | None = None  # a baseline's name; None is the run's own encoder

    def __post_init__(self):
        special = (self.block is not None) + (self.split != "test") + (self.task is not None)
        only_linear = self.split != "test" or self.task is not None
        elsewhere = ("linear", *((FINETUNE, *ON_TRANSFER) if self.task else ()))
        if special > 1 or (only_linear and self.probe not in elsewhere):
            raise ValueError(f"{self!r} is never evaluated: a block, a phase and a transfer set exclude one another")

    @property
    def path(self) -> str:
        """The group of metrics.zarr that holds it: `eval/linear`, `eval/transfer/digits`, `baseline/pixels/linear`."""
        return f"{f'baseline/{self.encoder}' if self.encoder else 'eval'}/{self.name}"

    def __str__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        """The path without the encoder, by which `--task` and JSON know it: `linear`, `transfer/digits`, `few/10`."""
        if self.block is not None:
            return "/".join(["blocks", *([] if self.probe == "linear" else [self.probe]), f"block{self.block}"])
        if self.split != "test":
            return f"phases/{self.split}"
        task = f"transfer/{self.task}" if self.task is not None else "linear"
        if self.probe == FINETUNE or (self.task is not None and self.probe in ON_TRANSFER):
            return f"{self.probe}/{task}"
        return task if self.probe == "linear" else self.probe

    @classmethod
    def parse(cls, path: str) -> "ScoreKey | None":
        """The key of a group of metrics.zarr; None for a group that holds no scores."""
        root, _, name = path.partition("/")
        if root == "eval":
            return cls.named(name) if name else None
        encoder, _, name = name.partition("/")
        return replace(cls.named(name), encoder=encoder) if root == "baseline" and name else None

    @classmethod
    def named(cls, name: str) -> "ScoreKey":
        """The run's own score of this `name`."""
        kind, _, rest = name.partition("/")
        probe, _, last = rest.rpartition("/")
        if kind == "blocks" and last.removeprefix("block").isdecimal():
            return cls(probe=probe or "linear", block=int(last.removeprefix("block")))
        if kind == "phases":
            return cls(split=rest)
        if kind == FINETUNE or (kind in ON_TRANSFER and rest):
            return replace(cls.named(rest), probe=kind)
        return cls(task=rest) if kind == "transfer" else cls(probe=name)

    @property
    def kind(self) -> str:
        """The name of the probe, without its argument."""
        return self.probe.partition("/")[0]

    @property
    def probe_label(self) -> str:
        """The probe as tables, charts and pages call it: `k-NN`, `10 labels a class`, `light direction`."""
        argument = self.probe.partition("/")[2]
        label = LABELS.get(self.kind) or argument or self.kind
        return (label(argument) if callable(label) else label).replace("_", " ")

    @property
    def label(self) -> str:
        """The whole key as tables, charts and pages call it: `transfer: digits`, `k-NN, block 2`, `phase 0`."""
        if self.block is not None:
            return f"{self.probe_label}, block {self.block}"
        if self.split != "test":
            return self.split.replace("phase", "phase ")
        if self.task is None:
            return self.probe_label
        return self.task_label if self.probe == "linear" else self.task_label.replace("transfer", self.probe_label, 1)

    @property
    def task_label(self) -> str:
        """The images that it is of: `test instances` of the run's own world, or `transfer: digits`."""
        return "test instances" if self.task is None else f"transfer: {self.task}".replace("_", " ")

    @property
    def title(self) -> str:
        """The label with a capital, for what stands above a chart."""
        return self.label if self.label.startswith("k-") else self.label[0].upper() + self.label[1:]


WORLD = ScoreKey()  # the linear probe of the run's own world, which every run that is scored has
