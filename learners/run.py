"""What a run is made of: a stream, a learner, and where it is, from what it was told."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from omegaconf import MISSING, DictConfig

from envs.settings import WORLDS
from learners.build import SCHEMAS as LEARNER_SCHEMAS
from learners.build import build_learner
from learners.diagnostics.monitor import MonitorSettings
from learners.rules.base import Learner
from runs.config import composing as told
from runs.config.composing import register
from runs.evaluation.evaluation import EvalSettings
from runs.evaluation.features import Encoder
from runs.launch.settings import RunSettings
from runs.store.timing import RunningMean
from streams.pairs.frame_buffer import longest
from streams.pairs.pairing import PairStream, build_pairs
from streams.pairs.single_frames import SingleFrameStream
from streams.seeding import seed_of
from streams.settings import SCHEMAS as STREAM_SCHEMAS
from streams.sources import open_source
from streams.types import Pairs

PROBE = 8  # first batches of a stream, the largest of which the network is watched on


@dataclass
class Settings:
    """A whole run"""

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
    seed: int = 0  # of the weights and of the world
    device: str = "auto"  # cpu, cuda, cuda:1, ..., or auto: cuda where there is one
    results_dir: str = "results"


SCHEMAS: dict[tuple[str | None, str], type] = {
    (None, "settings_schema"): Settings,
    **{("env", f"{name}_schema"): world for name, world in WORLDS.items()},
    **STREAM_SCHEMAS,
    **LEARNER_SCHEMAS,
}
register(SCHEMAS)


@dataclass
class Run:
    """The parts of a run, which are saved and resumed together."""

    settings: DictConfig
    stream: PairStream
    learner: Learner
    means: RunningMean = field(default_factory=RunningMean)
    frames: int = 0  # world frames seen
    updates: int = 0  # of the weights

    def state_dict(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state_dict() for name in ("stream", "learner", "means")}
        return parts | {"frames": self.frames, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("stream", "learner", "means"):
            getattr(self, name).load_state_dict(state[name])
        self.frames, self.updates = state["frames"], state["updates"]


def build(settings: DictConfig) -> Run:
    """The parts that the settings ask for, none of which has done anything yet."""
    learner, record = learner_of(settings), settings.stream.get("record")
    return Run(settings, build_stream(settings, seed=settings.seed, encode=learner.encode, record=record), learner)


def learner_of(settings: DictConfig) -> Learner:
    """The learner that the settings ask for, at its start."""
    return build_learner(
        network=settings.network.name,
        loss=told.keywords(settings.loss),
        size=settings.env.size,
        seed=settings.seed,
        updates=settings.run.frames // settings.env.num_worlds * settings.memory.updates,
        device=told.device(settings),
        longest_gap=longest(settings.pairs.gap_distribution, settings.pairs.gap),
        **told.keywords(settings.learner, "name"),
    )


def build_stream(
    settings: DictConfig, *, seed: int, encode: Encoder, record: str | None = None
) -> PairStream | SingleFrameStream:
    """Pairs of frames of the world or recording that is asked for, at their beginning; single ones, if it remembers."""
    env, source = told.keywords(settings.env), told.keywords(settings.stream, "record")
    needed, device = settings.run.frames, told.device(settings)
    frames = open_source(env, seed=seed, device=device, frames=needed, record=record, **source)
    if settings.loss.get("remember"):
        return SingleFrameStream(
            frames, gap=settings.pairs.gap, gap_distribution=settings.pairs.gap_distribution, seed=seed
        )
    pairs, memory = told.keywords(settings.pairs), told.keywords(settings.memory)
    return build_pairs(frames, pairs=pairs, memory=memory, worlds=env["num_worlds"], seed=seed, encode=encode)


def probe(settings: DictConfig, encode: Encoder) -> Pairs:
    """The batch that the network is watched on: of worlds that training does not see, and the same all along."""
    stream = build_stream(told.with_both_views(settings), seed=seed_of(settings.seed, "watch"), encode=encode)
    return max(islice(stream, PROBE), key=lambda pairs: len(pairs.episode))
