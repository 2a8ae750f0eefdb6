"""A run of the main job: what it can be told, its parts, and where it is."""

from collections.abc import Container
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from omegaconf import MISSING, DictConfig

from envs.devices import device as device_of
from envs.errors import SettingError
from envs.settings import as_object
from envs.worlds import WORLDS
from learners.build import RULES, build_learner
from learners.build import SCHEMAS as LEARNER_SCHEMAS
from learners.diagnostics.monitor import MonitorSettings, monitor
from learners.distributed import DistributedSettings
from learners.losses.build import LOSSES
from learners.networks.network import SPECS
from learners.rules.base import Learner
from runs.config.aliases import merged
from runs.config.composing import CHAIN
from runs.evaluation.evaluation import EvalSettings
from runs.evaluation.features import Encoder
from runs.launch.log import Learner as LoggedLearner
from runs.launch.log import Run as LoggedRun
from runs.launch.settings import RunSettings
from streams.pairing.frame_buffer import longest
from streams.pairing.pairing import build_pairs
from streams.pairing.single_frames import SingleFrameStream, Stream
from streams.process.ranks import Ranks, present
from streams.seeding import seed_of
from streams.settings import SCHEMAS as STREAM_SCHEMAS
from streams.sources import open_source
from streams.types import Pairs

MONITORED = 8  # first batches of a stream, the largest of which the network is monitored on
VIEWED_WORLDS = 32  # at least, where both views are shown of what a learner that watches one or a few remembers


@dataclass
class Settings:
    """A whole run."""

    env: Any = MISSING
    stream: Any = MISSING
    pairs: Any = MISSING
    memory: Any = MISSING
    learner: Any = MISSING
    loss: Any = MISSING
    network: Any = MISSING
    eval: EvalSettings = field(default_factory=EvalSettings)
    watch: MonitorSettings = field(default_factory=MonitorSettings)
    run: RunSettings = field(default_factory=RunSettings)
    distributed: DistributedSettings = field(default_factory=DistributedSettings)
    seed: int = 0  # of the weights and of the world
    device: str = "auto"  # cpu, cuda, cuda:1, ..., or auto: cuda where there is one
    results_dir: str = "results"  # folder in which each run has its own


SCHEMAS: dict[tuple[str | None, str], type] = {(None, "settings_schema"): Settings, **STREAM_SCHEMAS, **LEARNER_SCHEMAS}


class Run(LoggedRun):
    """A run whose learner is one of ours."""

    learner: Learner

    def monitor(self, learner: LoggedLearner) -> dict[str, dict[str, float]]:
        """A row of each of the monitor's series; waits for the device."""
        assert isinstance(learner, Learner)
        return monitor(learner, self.monitor_batch)

    @cached_property
    def monitor_batch(self) -> Pairs:
        """The batch that the network is monitored on: of worlds that training does not see, and the same all along."""
        settings = with_both_views(self.settings)
        stream = build_stream(settings, seed=seed_of(settings.seed, "watch"), encode=self.learner.encode)
        return max(islice(stream, MONITORED), key=lambda pairs: len(pairs.episode))

    def preview(self) -> Stream:
        """The same stream from its beginning, of which nothing is recorded and which never ends."""
        change = {"record": None} if self.settings.stream.name == "live" else {"repeat": True}
        settings = merged(with_both_views(self.settings, more=False), {"stream": change})
        return build_stream(settings, seed=settings.seed, encode=self.learner.encode, least=1)

    def check_extension(self, planned: int) -> None:
        """Raises SettingError where the rule cannot go on to another number of frames than was planned."""
        frames = self.settings.run.frames
        if frames != planned and self.learner.shares_updates:
            raise SettingError(f"run.frames={frames} cannot change: a greedy schedule has shared out {planned}")


def build(settings: DictConfig) -> Run:
    """The parts that settings ask for, none of which has done anything yet. Raises SettingError: what cannot work."""
    learner, record, ranks = learner_of(settings), settings.stream.get("record"), present()
    stream = build_stream(settings, seed=settings.seed, encode=learner.encode, record=record, ranks=ranks)
    learner.join(ranks, negatives=settings.distributed.negatives)
    return Run(settings, stream, learner, ranks=ranks)


def learner_of(settings: DictConfig) -> Learner:
    """The learner that the settings ask for, at its start."""
    return build_learner(
        as_object(settings.learner),
        loss=as_object(settings.loss),
        network=as_object(settings.network),
        size=settings.env.size,
        seed=settings.seed,
        updates=settings.run.frames // settings.env.num_worlds * settings.memory.updates,  # about
        device=device_of(settings.device),
        longest_gap=longest(settings.pairs.gap_distribution, settings.pairs.gap),
    )


def build_stream(
    settings: DictConfig,
    *,
    seed: int,
    encode: Encoder,
    record: str | None = None,
    ranks: Ranks | None = None,
    least: int = 2,
) -> Stream:
    """Pairs of frames of the world or recording asked for, at their beginning; single ones, if the loss remembers.

    Of several ranks, each has its own worlds' frames.
    """
    ranks = ranks or Ranks()
    stream, pairs, memory = (as_object(settings[group]) for group in ("stream", "pairs", "memory"))
    env = as_object(settings.env) if settings.stream.name == "live" else None
    device, frames = device_of(settings.device), settings.run.frames
    source = open_source(env, stream, seed=seed, device=device, record=record, frames=frames, ranks=ranks)
    if remembers(settings):
        return SingleFrameStream(source, pairs, seed=seed, ranks=ranks)
    worlds = len(ranks.share(settings.env.num_worlds, "env.num_worlds"))
    return build_pairs(
        source, pairs=pairs, memory=memory, worlds=worlds, seed=seed, encode=encode, ranks=ranks, least=least
    )


def named_code(settings: DictConfig) -> dict[str, Any]:
    """The settings that lead to code which is none of ours: a part or world of one's own, or classes of torchvision's.

    What reads pictures for torchvision may run what they hold, and so may a URL in which one protocol reads another's.
    """
    env, stream = settings.env, settings.stream
    parts: dict[str, tuple[Any, Container[str]]] = {
        "learner.schedule": (settings.learner.get("schedule"), RULES),
        "loss.kind": (settings.loss.get("kind"), LOSSES),
        "network.name": (None if settings.network.get("blocks") else settings.network.get("name"), SPECS),
        "env.id": (env.get("id"), {world.id for world in WORLDS.values()}),
    }
    named: dict[str, Any] = {name: value for name, (value, known) in parts.items() if value and value not in known}
    paths = {f"stream.{name}": stream.get(name) for name in ("path", "record")} | {
        "eval.transfer": settings.eval.transfer
    }
    named |= {name: value for name, value in paths.items() if CHAIN in str(value)}
    own = {f"eval.{name}": list(settings.eval[name]) for name in ("probes", "ends")}
    named |= {name: value for name, value in own.items() if any(":" in one for one in value)}
    if stream.name == "live" or settings.eval.every:
        sets = {f"env.{name}": env.get(name) for name in ("dataset", "background_dataset")}
        named |= {name: value for name, value in sets.items() if value}
    return named


def remembers(settings: DictConfig) -> bool:
    """Whether the loss remembers earlier views, so that each frame passes through the network once."""
    return bool(settings.loss.get("remember"))


def with_both_views(settings: DictConfig, *, more: bool = True) -> DictConfig:
    """Settings by which both views of pairs are seen, also where the learner remembers the earlier one.

    One that watches a few worlds is shown several, of a recording too if `more`.
    """
    if not remembers(settings):
        return settings
    worlds = max(settings.env.num_worlds, VIEWED_WORLDS)
    settings = merged(settings, {"loss": {"remember": False}})
    if settings.stream.name == "live" or more:
        settings.env.num_worlds = worlds
    if settings.stream.name == "replay" and more:
        settings.stream.update({"order": "episodes", "worlds": worlds})
    return settings


def validate(settings: DictConfig) -> None:
    """Raises SettingError: a setting of the learner or its loss that contradicts the stream's.

    One world makes a batch of one, which needs negatives that are remembered; and only what came before can be.
    """
    for group in ("learner", "loss", *(["env"] if settings.stream.name == "live" else [])):
        as_object(settings[group])  # which checks its own values
    as_object(settings.distributed)
    alone, loss = settings.env.num_worlds < 2, settings.loss
    if not remembers(settings):
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
    for name, value, needed in (
        ("pairs", pairs.name, "temporal"),
        ("pairs.symmetric", pairs.get("symmetric"), False),
        ("memory", memory.name, "none"),
        ("memory.updates", memory.updates, 1),
    ):
        if value != needed:
            raise SettingError(
                f"{name}={value} has no use with loss.remember=true, where each frame passes once and is compared with "
                f"one that came before; set {name}={str(needed).lower()}"
            )
