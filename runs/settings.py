"""What a run is told: the dataclasses that the Hydra groups in `runs/conf` are checked against, and their reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from envs.errors import SettingError, no_such, unknown
from envs.gaze import gaze
from envs.settings import CountingSettings, MovingImagesRunSettings, MovingObjectsSettings
from envs.settings import device as device_of
from runs import transfer
from runs.mirror import check_installed
from runs.probes import PROBES
from streams.orders import OrderSettings
from streams.source import recorded_env


@dataclass
class LiveSettings:
    """stream=live"""

    name: str = "live"
    gaze: str = "fixed"  # what the eye does: fixed, pursuit (it follows the object) or saccades (it jumps about it)
    record: str | None = None  # where what the learner sees is recorded: a new folder or any fsspec URL


@dataclass
class ReplaySettings(OrderSettings):
    """stream=replay; the env settings are the recording's"""

    name: str = "replay"
    path: Any = None  # a recording, or a list of them, shown side by side
    weights: list[float] = field(default_factory=list)  # how much of each batch each recording makes up
    repeat: bool = False  # whether it begins anew at its end
    start: int = 0  # step of the recording to begin at


@dataclass
class PairsSettings:
    """What all kinds of pairs have in common"""

    name: str = MISSING
    gap: int = 4  # steps from the earlier frame of a pair; the most, or the mean, where the gap is drawn
    gap_law: str = "fixed"  # fixed, uniform (1 to gap) or geometric (mean gap)


@dataclass
class TemporalSettings(PairsSettings):
    """pairs=temporal"""

    symmetric: bool = False  # draw which of the two frames comes first, instead of the earlier


@dataclass
class AugmentationSettings(PairsSettings):
    """pairs=augmentation: two views of each frame that has an earlier one at the gap, so that all kinds see as many"""

    gap: int = 4  # as in the other kinds; 0 takes every frame
    views: str = "paper"  # paper (warp, colour, flip), simclr (crop, colour, grey, flip), crops or lighting alone


@dataclass
class BothSettings(TemporalSettings):
    """pairs=both: neighbours, and a view of each"""

    views: str = "paper"  # paper (warp, colour, flip), simclr (crop, colour, grey, flip), crops or lighting alone


@dataclass
class MemorySettings:
    """memory=none"""

    name: str = "none"
    updates: int = 1  # of the weights, a step: batches of as many pairs as the step brought


@dataclass
class BufferSettings(MemorySettings):
    """memory=fifo, reservoir or minred"""

    name: str = MISSING
    capacity: int = 4096  # frames; a pair of two frames takes two


@dataclass
class LearnerSettings:
    """learner=NAME: a schedule with a feedback, or targets"""

    name: str = MISSING
    schedule: str = "end_to_end"  # end_to_end, greedy, random, simultaneous, target_prop or untrained
    feedback: str = "backprop"  # backprop, random, updated or sign
    lr: float = 1e-3  # learning rate
    optimiser: str = "adam"  # or adamw, sgd, rmsprop, adagrad, adadelta, adamax, nadam, radam
    momentum: float = 0.0  # of sgd and rmsprop
    weight_decay: float = 0.0  # with feedback=updated this is Kolen and Pollack's rule
    lr_law: str = "constant"  # or inverse_sqrt: after the warm-up it falls as one over the root of the updates
    warmup: int = 0  # updates in which the learning rate rises to lr


@dataclass
class GreedySettings(LearnerSettings):
    """learner=gll"""

    turns: str = "share"  # of the blocks: share (of run.frames), or without an end: rotate, plateau (of a block's loss)
    turn_updates: int = 500  # that a turn lasts; with plateau, of the windows whose mean losses are compared
    turn_gain: float = 0.01  # with plateau: the share by which a window's loss must be less than the best before it


@dataclass
class TargetPropSettings(LearnerSettings):
    """learner=dtp"""

    alpha: float = 0.5  # step from the top activity to its target, in units of one row's loss gradient
    noise: float = 0.3  # std of what is added to an activity when its inverse learns
    inverse_lr: float = 5e-3  # of the inverses' own Adam
    inverse_steps: int = 1  # updates of the inverses before each forward update
    inverse_loss: str = "reconstruction"  # or ldrl: its Jacobian becomes the transpose of the block's
    inverse_rows: int = 64  # rows of a batch that teach the inverses, spread evenly; 0 for all, as in the paper


@dataclass
class HingeSettings:
    """loss=hinge"""

    name: str = "hinge"
    kind: str = "hinge"  # which loss it is; the name is a label
    anchors: str = "both"  # first: u_i against v_j; both: all 2B rows against each other (the paper's conv4 form)
    positive_margin: float = 1.0
    negative_margin: float = 3.0
    blocked: bool = False  # the gradient block: the earlier view is remembered activity
    negatives: int = 0  # other rows each anchor is kept from; 0 for all
    average: str = "violators"  # over an anchor's negatives: sum, or violators (mean over those inside the margin)
    remember: bool = False  # each frame passes through the network once; earlier views and negatives are remembered


@dataclass
class NTXentSettings:
    """loss=ntxent, SimCLR's"""

    name: str = "ntxent"
    kind: str = "ntxent"
    temperature: float = 0.5


@dataclass
class ClappSettings:
    """loss=clapp"""

    name: str = "clapp"
    kind: str = "clapp"
    blocked: bool = True  # no error goes through the earlier view


@dataclass
class BarlowTwinsSettings:
    """loss=barlow_twins"""

    name: str = "barlow_twins"
    kind: str = "barlow_twins"
    redundancy: float = 5e-3  # weight of what different dimensions share


@dataclass
class VICRegSettings:
    """loss=vicreg"""

    name: str = "vicreg"
    kind: str = "vicreg"
    invariance: float = 25.0  # weight of the distance between the two views
    variance: float = 25.0  # weight of stds that are less than 1
    covariance: float = 1.0  # weight of what different dimensions share


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
    probes: list[str] = field(default_factory=lambda: ["linear", "factors"])  # at every evaluation: of runs.evaluation
    ends: list[str] = field(default_factory=lambda: ["knn", "few", "blocks"])  # beside them, at a run's start and end
    samples: int = 256  # test images that are kept, with their features at evaluations; 0 for none
    transfer: list[str] = field(  # other sets the same encoder is scored on: of runs.transfer, paths, or all
        default_factory=lambda: ["digits"]
    )
    data_root: str | None = None  # folder of the data sets named in transfer, as torchvision keeps them or as .npz
    download: bool = False  # whether torchvision may fetch those that are not there


@dataclass
class WatchSettings:
    """When the network itself is looked at: ranks, norms, and the alignment of its updates with the gradient"""

    every: int | None = None  # frames between two looks; 0 for none at all; at every evaluation where not given


@dataclass
class RunSettings:
    """How long, and where it is kept"""

    name: str | None = None  # of the folder in results_dir; made up from env, learner, seed and time where absent
    group: str | None = None  # folder in results_dir shared by the runs of one experiment; names then have no time
    frames: int = 65_536  # world frames to learn from
    log_every: int = 2_048  # frames between two rows of the training metrics
    save_every: int = 16_384  # frames between two checkpoints
    keep: int = 3  # checkpoints kept
    resume: str | None = None  # folder of a run to go on with
    tensorboard: bool = False  # whether the numbers are written for TensorBoard too, into the run's folder


@dataclass
class Settings:
    """A whole run"""

    env: Any = MISSING
    stream: Any = MISSING
    pairs: PairsSettings = MISSING
    memory: MemorySettings = MISSING
    learner: Any = MISSING
    loss: Any = MISSING
    network: NetworkSettings = MISSING
    eval: EvalSettings = field(default_factory=EvalSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    run: RunSettings = field(default_factory=RunSettings)
    seed: int = 0  # of the weights and of the world
    device: str = "auto"  # cpu, cuda, cuda:1, ..., or auto: cuda where there is one
    results_dir: str = "results"


SCHEMAS = {
    (None, "settings_schema"): Settings,
    ("env", "moving_objects_schema"): MovingObjectsSettings,
    ("env", "moving_images_schema"): MovingImagesRunSettings,
    ("env", "counting_schema"): CountingSettings,
    ("stream", "live_schema"): LiveSettings,
    ("stream", "replay_schema"): ReplaySettings,
    ("pairs", "temporal_schema"): TemporalSettings,
    ("pairs", "augmentation_schema"): AugmentationSettings,
    ("pairs", "both_schema"): BothSettings,
    ("memory", "none_schema"): MemorySettings,
    ("memory", "buffer_schema"): BufferSettings,
    ("learner", "rule_schema"): LearnerSettings,
    ("learner", "greedy_schema"): GreedySettings,
    ("learner", "target_prop_schema"): TargetPropSettings,
    ("loss", "hinge_schema"): HingeSettings,
    ("loss", "ntxent_schema"): NTXentSettings,
    ("loss", "clapp_schema"): ClappSettings,
    ("loss", "barlow_twins_schema"): BarlowTwinsSettings,
    ("loss", "vicreg_schema"): VICRegSettings,
    ("network", "network_schema"): NetworkSettings,
}
HYDRA = ("hydra.", "hydra/")  # what is said to Hydra itself
SEARCHPATH = "hydra.searchpath"
SEEN_WORLDS = 32  # at least, where both views are shown of what a learner that watches one or a few remembers


def register() -> None:
    """Tells Hydra the schemas; the YAML files in `runs/conf` build on them."""
    for (group, name), node in SCHEMAS.items():
        ConfigStore.instance().store(group=group, name=name, node=node)


def choices(*more: Traversable) -> dict[str, list[str]]:
    """The Hydra groups and what each can be, read off the YAML files (in folders as `folder/name`), also of `more`."""
    found = {}
    for folder in (group for root in (files("runs.conf"), *more) for group in root.iterdir() if _holds_choices(group)):
        found[folder.name] = sorted({*found.get(folder.name, []), *_names(folder)})
    return found


def _searched(overrides: list[str]) -> list[Path]:
    """The folders of choices of one's own, given as `hydra.searchpath=[folder]`."""
    said = [override.value() for override in map(_parsed, overrides) if override.key_or_group == SEARCHPATH]
    paths = [path for value in said for path in (value if isinstance(value, list) else [value])]
    folders = [Path(str(path).removeprefix("file://")) for path in paths]
    for folder in folders:
        if not folder.is_dir():
            raise SettingError(
                f"{SEARCHPATH}=[{folder}] is no folder; give the one that holds loss/NAME.yaml and the like"
            )
    return folders


def _holds_choices(folder: Traversable) -> bool:
    return folder.is_dir() and not folder.name.startswith("_")


def _names(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.name.endswith(".yaml"):
            yield Path(entry.name).stem
        elif _holds_choices(entry):
            yield from (f"{entry.name}/{name}" for name in _names(entry))


def read(overrides: list[str]) -> DictConfig:
    """The settings that command-line overrides ask for.

    Raises:
        SettingError: an unknown group or key (with the near miss), several values, or a value of the wrong type.
    """
    register()
    picks, values = _sorted(overrides)
    with _hydra():
        try:
            known = _keys(compose("config", [*picks, *(text for text in overrides if text.startswith(SEARCHPATH))]))
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingError(_plain(error, [])) from error
        for text, override in values:
            if override.key_or_group.startswith(HYDRA):
                continue
            if override.key_or_group not in known or text[0] in "+~":
                raise no_such(override.key_or_group, known)
        try:
            config = compose("config", overrides)
            OmegaConf.resolve(config)
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingError(_plain(error, values)) from error
    return _replayed(config, picks, values) if config.stream.name == "replay" else config


def _replayed(config: DictConfig, picks: list[str], values: list[tuple[str, Override]]) -> DictConfig:
    """The settings with the recording's own world, which nothing that was said may contradict."""
    stream = keywords(config.stream)
    order = OrderSettings(**{field.name: stream[field.name] for field in fields(OrderSettings)})
    recorded = recorded_env(stream["path"], order, weights=stream["weights"])
    said = {override.key_or_group: override.value() for override in map(_parsed, picks)}
    said |= {override.key_or_group: override.value() for _, override in values}
    shown = {"env": recorded["name"]} | {f"env.{name}": value for name, value in recorded.items()}
    for name, value in said.items():
        if name.partition(".")[0] == "env" and shown.get(name) != value:
            raise SettingError(
                f"{name}={value} is not what stream.path={stream['path']} shows "
                f"({name}={shown.get(name, 'absent')}); leave it out"
            )
    OmegaConf.update(config, "env", OmegaConf.create(recorded), merge=False, force_add=True)
    return config


def _sorted(overrides: list[str]) -> tuple[list[str], list[tuple[str, Override]]]:
    """Overrides that choose from a group, and those that set a value."""
    groups, picks, values = choices(*_searched(overrides)), [], []
    for text in overrides:
        override = _parsed(text)
        if override.is_sweep_override():
            raise SettingError(f"{text} is more than one value; a sweep over them begins with -m")
        if override.key_or_group in groups:
            if override.value() not in [*groups[override.key_or_group], None]:
                raise unknown(override.key_or_group, override.value(), groups[override.key_or_group])
            picks.append(text)
        else:
            values.append((text, override))
    return picks, values


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


class Sweep(NamedTuple):
    """What a command line goes through."""

    asked: bool  # by the experiment itself, without -m
    values: dict[str, list[str]]  # of every setting that is said, each value as an override


def sweep(overrides: list[str]) -> Sweep:
    """The values that a command line, and the experiment it may choose, give each setting.

    An experiment is a sweep where it says `hydra.mode: MULTIRUN`; its `hydra.sweeper.params` are taken as if they had
    been said before the command line, which has the last word.

    Raises:
        SettingError: an unknown experiment, or several of which one is a sweep itself.
    """
    register()
    lines = [override for override in map(_parsed, overrides) if override.key_or_group == "experiment"]
    picks = [text for override in lines for text in _each(override)]
    said = [text for text in overrides if text.startswith(HYDRA)]
    mode = None
    with _hydra():
        for text in picks:
            _sorted([text])
            found = compose("config", [text, *said], return_hydra_config=True).hydra
            mode, params = found.mode, found.sweeper.params or {}
            if params and len(picks) > 1:
                raise SettingError(f"{text} is a sweep already; begin one such experiment at a time")
            overrides = [*(f"{name}={value}" for name, value in params.items()), *overrides]
    values = {override.key_or_group: _each(override) for override in map(_parsed, overrides)}
    return Sweep(mode == RunMode.MULTIRUN, values)


def one_at_a_time(values: dict[str, list[str]]) -> Iterator[list[str]]:
    """Runs of a sweep in which every value of every setting comes up once: to be checked before any of them begins."""
    first = {name: each[0] for name, each in values.items()}
    yield list(first.values())
    for name, each in values.items():
        for text in each[1:]:
            yield list((first | {name: text}).values())


def _each(override: Override) -> list[str]:
    """A sweep over a setting as one override for each value; anything else as it is."""
    if not override.is_discrete_sweep():
        return [override.input_line]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def check(settings: DictConfig) -> None:
    """Settings that contradict one another, found before any work.

    Raises:
        SettingError: with the setting, its value and the way out.
    """
    env, pairs, run, every = settings.env, settings.pairs, settings.run, settings.eval.every
    if env.num_worlds < 1:
        raise SettingError(f"env.num_worlds={env.num_worlds} shows nothing; try 2 or more")
    _check_negatives(settings)
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
        ("watch.every", settings.watch.every or 0, 0),
        ("eval.samples", settings.eval.samples, 0),
        *((f"eval.{name}", settings.eval[name], 2) for name in ("train", "validation", "test")),
    ):
        if value < least:
            raise SettingError(f"{name}={value} is too few; try {least} or more")
    if run.tensorboard:
        check_installed()
    if run.group is not None and (Path(run.group).name != run.group or run.group.startswith(".")):
        raise SettingError(f"run.group={run.group!r} must be a plain folder name; results_dir says where it lies")
    if every and settings.env.get("categories") == 1:
        raise SettingError("env.categories=1 shows one class only, which leaves a probe nothing to tell apart; try 2")
    for setting in ("probes", "ends"):
        for name in settings.eval[setting]:
            if name not in PROBES:
                raise unknown(f"eval.{setting}", name, PROBES)
    if "linear" not in settings.eval.probes:
        raise SettingError("eval.probes leaves out linear, which tables and curves are made of; add it")
    transfer.check(settings)
    for group in ("learner", "loss", "network"):
        if not settings[group].get("name"):
            raise SettingError(f"{group}.name is missing, which tells a run from others; add it to the YAML file")
    if settings.learner.get("lr", 1e-3) <= 0:
        raise SettingError(f"learner.lr={settings.learner.lr} would learn nothing; try 0.001")
    if settings.stream.name == "live":
        gaze(settings.stream.gaze)
    device(settings)


def _check_negatives(settings: DictConfig) -> None:
    """One world makes a batch of one, which needs negatives that are remembered; and only what came before can be."""
    alone, loss = settings.env.num_worlds < 2, settings.loss
    if not loss.get("remember"):
        if alone:
            many = "stream.worlds" if settings.stream.name == "replay" else "env.num_worlds"
            raise SettingError(
                f"{many}=1 makes a batch of one pair, which has no negatives; try 2 or more, or "
                "loss=hinge_remembered, which remembers them"
            )
        return
    if alone and not loss.negatives:
        raise SettingError(
            "loss.negatives=0 takes the other worlds' frames, and with env.num_worlds=1 there are none; try 5"
        )
    pairs, memory = settings.pairs, settings.memory
    for name, value, wanted in (
        ("pairs", pairs.name, "temporal"),
        ("pairs.symmetric", pairs.get("symmetric"), False),
        ("memory", memory.name, "none"),
        ("memory.updates", memory.updates, 1),
    ):
        if value != wanted:
            raise SettingError(
                f"{name}={value} has no use with loss.remember=true, where each frame passes once and is compared with "
                f"one that came before; set {name}={str(wanted).lower()}"
            )


def device(settings: DictConfig) -> torch.device:
    """The device asked for.

    Raises:
        SettingError: where this machine has none such.
    """
    return device_of(settings.device)


def to_look_at(settings: DictConfig) -> DictConfig:
    """The same settings for one who looks at the beginning of the stream: nothing is recorded, and it never ends."""
    change = {"record": None} if settings.stream.name == "live" else {"repeat": True}
    return OmegaConf.merge(with_both_views(settings), {"stream": change})


def with_both_views(settings: DictConfig) -> DictConfig:
    """The same settings for one who is to see both views of a pair, also where the learner remembers the earlier one.

    There, pairs are of some worlds at least, since one makes a single pair.
    """
    if not settings.loss.get("remember"):
        return settings
    worlds = max(settings.env.num_worlds, SEEN_WORLDS)
    settings = OmegaConf.merge(settings, {"loss": {"remember": False}, "env": {"num_worlds": worlds}})
    if settings.stream.name == "replay":
        settings.stream.update({"order": "episodes", "worlds": worlds})
    return settings


def keywords(group: DictConfig, *without: str) -> dict[str, Any]:
    """A group as keyword arguments, less some."""
    return {name: value for name, value in OmegaConf.to_container(group, resolve=True).items() if name not in without}


def _parsed(text: str) -> Override:
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


def _plain(error: Exception, values: list) -> str:
    """Hydra's complaint about a value, in one line that names the setting."""
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    where = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("full_key:")), None)
    text = next((text for text, override in values if override.key_or_group == where), where)
    return f"{text}: {lines[0]}" if text else lines[0]
