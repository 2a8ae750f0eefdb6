"""What a run can be told: the dataclasses that the groups in `runs/conf` are checked against, a line of help a key."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from envs.settings import CountingSettings, MovingImagesRunSettings, MovingObjectsSettings
from streams.replay.orders import OrderSettings


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
    probes: list[str] = field(
        default_factory=lambda: ["linear", "factors"]
    )  # at every evaluation: of runs.evaluation.probes
    ends: list[str] = field(  # beside them, at a run's start and end; finetune takes minutes
        default_factory=lambda: ["knn", "few", "blocks"]
    )
    samples: int = 256  # test images that are kept, with their features at evaluations; 0 for none
    transfer: list[str] = field(  # other sets the same encoder is scored on: of runs.evaluation.transfer, paths, or all
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


def register() -> None:
    """Tells Hydra the schemas; the YAML files in `runs/conf` build on them."""
    for (group, name), node in SCHEMAS.items():
        ConfigStore.instance().store(group=group, name=name, node=node)
