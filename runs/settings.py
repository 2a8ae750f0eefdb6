"""What a run is told: the dataclasses that the Hydra groups in `runs/conf` are checked against, and their reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from envs.errors import SettingError, unknown
from envs.gaze import gaze
from envs.moving_images import MovingImagesSettings
from envs.scene import WorldSettings
from runs.transfer import TRANSFER


@dataclass
class MovingObjectsSettings(WorldSettings):
    """env=moving_objects"""

    name: str = "moving_objects"
    id: str = "MovingObjects-v0"
    num_worlds: int = 128  # worlds watched at once; each gives one frame a step
    stagger: bool = True


@dataclass
class MovingImagesRunSettings(MovingImagesSettings):
    """env=moving_images"""

    name: str = "moving_images"
    id: str = "MovingImages-v0"
    num_worlds: int = 128
    stagger: bool = True


@dataclass
class CountingSettings:
    """env=counting, the world of the tests"""

    name: str = "counting"
    id: str = "Counting-v0"
    num_worlds: int = 16
    size: int = 32
    episode_length: int = 16
    stagger: bool = True
    split: str = "train"


@dataclass
class StreamSettings:
    """stream=live"""

    name: str = "live"
    gaze: str = "fixed"  # what the eye does: fixed, pursuit (it follows the object) or saccades (it jumps about it)


@dataclass
class PairsSettings:
    """pairs=temporal"""

    name: str = "temporal"
    gap: int = 4  # steps between the two frames of a pair; the most, or the mean, where the gap is drawn
    gap_law: str = "fixed"  # fixed, uniform (1 to gap) or geometric (mean gap)


@dataclass
class LearnerSettings:
    """learner=NAME: a schedule with a feedback, or targets"""

    name: str = MISSING
    schedule: str = "end_to_end"  # end_to_end, greedy, random, simultaneous, target_prop or untrained
    feedback: str = "backprop"  # backprop, random, updated or sign
    lr: float = 1e-3  # of Adam


@dataclass
class TargetPropSettings(LearnerSettings):
    """learner=dtp"""

    alpha: float = 0.5  # step from the top activity to its target, in units of one row's loss gradient
    noise: float = 0.3  # std of what is added to an activity when its inverse learns
    inverse_lr: float = 5e-3  # of the inverses' own Adam
    inverse_steps: int = 1  # updates of the inverses before each forward update
    inverse_loss: str = "reconstruction"  # or ldrl: its Jacobian becomes the transpose of the block's


@dataclass
class HingeSettings:
    """loss=hinge"""

    name: str = "hinge"
    anchors: str = "both"  # first: u_i against v_j; both: all 2B rows against each other (the paper's conv4 form)
    positive_margin: float = 1.0
    negative_margin: float = 3.0
    blocked: bool = False  # the gradient block: the earlier view is remembered activity
    negatives: int = 0  # other rows each anchor is kept from; 0 for all
    average: str = "violators"  # over an anchor's negatives: sum, or violators (mean over those inside the margin)


@dataclass
class NetworkSettings:
    """network=conv4"""

    name: str = "conv4"  # conv4, conv6, vgg6, or the dotted path of a Spec of your own


@dataclass
class EvalSettings:
    """When and on what the encoder is scored"""

    every: int = 16_384  # frames between two evaluations; 0 for none at all
    train: int = 8_000  # images the probe learns from, of training instances
    validation: int = 1_000  # images its strength is chosen on, of validation instances
    test: int = 4_000  # images it is scored on, of test instances
    seed: int = 0  # of the images; runs that share it are scored on the same ones
    transfer: list[str] = field(default_factory=lambda: ["digits"])  # other sets the same encoder is scored on


@dataclass
class RunSettings:
    """How long, and where it is kept"""

    name: str | None = None  # of the folder in results_dir; made up from env, learner, seed and time where absent
    frames: int = 65_536  # world frames to learn from
    log_every: int = 2_048  # frames between two rows of the training metrics
    save_every: int = 16_384  # frames between two checkpoints
    keep: int = 3  # checkpoints kept
    resume: str | None = None  # folder of a run to go on with


@dataclass
class Settings:
    """A whole run"""

    env: Any = MISSING
    stream: StreamSettings = MISSING
    pairs: PairsSettings = MISSING
    learner: LearnerSettings = MISSING
    loss: HingeSettings = MISSING
    network: NetworkSettings = MISSING
    eval: EvalSettings = field(default_factory=EvalSettings)
    run: RunSettings = field(default_factory=RunSettings)
    seed: int = 0  # of the weights and of the world
    device: str = "auto"  # cpu, cuda, cuda:1, ..., or auto: cuda where there is one
    results_dir: str = "results"


SCHEMAS = {
    (None, "settings_schema"): Settings,
    ("env", "moving_objects_schema"): MovingObjectsSettings,
    ("env", "moving_images_schema"): MovingImagesRunSettings,
    ("env", "counting_schema"): CountingSettings,
    ("stream", "live_schema"): StreamSettings,
    ("pairs", "temporal_schema"): PairsSettings,
    ("learner", "rule_schema"): LearnerSettings,
    ("learner", "target_prop_schema"): TargetPropSettings,
    ("loss", "hinge_schema"): HingeSettings,
    ("network", "network_schema"): NetworkSettings,
}


def register() -> None:
    """Tells Hydra the schemas; the YAML files in `runs/conf` build on them."""
    for (group, name), node in SCHEMAS.items():
        ConfigStore.instance().store(group=group, name=name, node=node)


def choices() -> dict[str, list[str]]:
    """The Hydra groups and what each can be, read off the YAML files."""
    return {
        folder.name: sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".yaml"))
        for folder in files("runs.conf").iterdir()
        if folder.is_dir() and not folder.name.startswith("_")
    }


def read(overrides: list[str]) -> DictConfig:
    """The settings that command-line overrides ask for.

    Raises:
        SettingError: an unknown group or key (with the near miss), or a value of the wrong type.
    """
    register()
    groups, picks, values = choices(), [], []
    for text in overrides:
        override = _parsed(text)
        if override.key_or_group in groups:
            if override.value() not in [*groups[override.key_or_group], None]:
                raise unknown(override.key_or_group, override.value(), groups[override.key_or_group])
            picks.append(text)
        else:
            values.append((text, override))
    with _hydra():
        known = _keys(compose("config", picks))
        for text, override in values:
            if override.key_or_group.startswith("hydra."):
                continue
            if override.key_or_group not in known or text[0] in "+~":
                raise _no_such_key(override.key_or_group, known)
        try:
            return compose("config", overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingError(_plain(error, values)) from error


@contextmanager
def _hydra() -> Iterator[None]:
    """Hydra on our configuration, also inside a job that Hydra itself has started."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("runs.conf", version_base=None):
            yield
    finally:
        GlobalHydra.instance().clear()
        if outer:
            GlobalHydra.instance().initialize(outer)


def first_choices(overrides: list[str]) -> list[str]:
    """A sweep's overrides with the first of the values of each, to be checked before any of its runs begins."""
    parsed = [(text, _parsed(text)) for text in overrides]
    return [
        f"{override.key_or_group}={next(override.sweep_string_iterator())}" if override.is_sweep_override() else text
        for text, override in parsed
    ]


def check(settings: DictConfig) -> None:
    """Settings that contradict one another, found before any work.

    Raises:
        SettingError: with the setting, its value and the way out.
    """
    env, pairs, run, every = settings.env, settings.pairs, settings.run, settings.eval.every
    if env.num_worlds < 1:
        raise SettingError(f"env.num_worlds={env.num_worlds} shows nothing; try 2 or more")
    if env.num_worlds < 2:
        raise SettingError("env.num_worlds=1 makes a batch of one pair, which has no negatives; try 2 or more")
    if pairs.gap >= env.episode_length:
        raise SettingError(
            f"pairs.gap={pairs.gap} is longer than an episode (env.episode_length={env.episode_length} frames), "
            f"so no pair would ever form; try {max(1, env.episode_length // 4)}"
        )
    for name, value, least in (
        ("run.frames", run.frames, env.num_worlds),
        ("run.log_every", run.log_every, 1),
        ("run.save_every", run.save_every, 1),
        ("run.keep", run.keep, 1),
        ("eval.every", every, 0),
        *((f"eval.{name}", settings.eval[name], 2) for name in ("train", "validation", "test")),
    ):
        if value < least:
            raise SettingError(f"{name}={value} is too few; try {least} or more")
    for name in settings.eval.transfer:
        if name not in TRANSFER:
            raise unknown("eval.transfer", name, TRANSFER)
    if settings.learner.lr <= 0:
        raise SettingError(f"learner.lr={settings.learner.lr} would learn nothing; try 0.001")
    gaze(settings.stream.gaze)
    device(settings)


def device(settings: DictConfig) -> torch.device:
    """The device asked for.

    Raises:
        SettingError: where this machine has none such.
    """
    name = settings.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(name)
    except RuntimeError:
        raise SettingError(f"device={name} is no device; try cpu, cuda or auto") from None
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SettingError(f"device={name} is not on this machine, which has {count} CUDA devices; try device=cpu")
    if wanted.type not in ("cpu", "cuda"):
        raise SettingError(f"device={name} is not supported; try cpu or cuda")
    return wanted


def keywords(group: DictConfig, *without: str) -> dict[str, Any]:
    """A group as keyword arguments, less some."""
    return {name: value for name, value in OmegaConf.to_container(group, resolve=True).items() if name not in without}


def _parsed(text: str):
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        raise SettingError(f"{text!r} is not a setting; write name=value, as in seed=3") from None


def _keys(config: DictConfig, prefix: str = "") -> list[str]:
    """Every dotted key of a configuration, branches too."""
    keys = []
    for name in config:
        keys.append(f"{prefix}{name}")
        if not OmegaConf.is_missing(config, name) and OmegaConf.is_dict(config[name]):
            keys += _keys(config[name], f"{prefix}{name}.")
    return keys


def _no_such_key(key: str, known: list[str]) -> SettingError:
    """Names the nearest key, and lists those of its group or the groups themselves."""
    near = get_close_matches(key, known, n=1)
    group = key.rpartition(".")[0]
    beside = [name for name in known if name.rpartition(".")[0] == group] or [name for name in known if "." not in name]
    hint = f"did you mean {near[0]}? " if near else ""
    return SettingError(f"{key} is no setting; {hint}known here: {', '.join(beside)}")


def _plain(error: Exception, values: list) -> str:
    """Hydra's complaint about a value, in one line that names the setting."""
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    where = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("full_key:")), None)
    text = next((text for text, override in values if override.key_or_group == where), where)
    return f"{text}: {lines[0]}" if text else lines[0]
