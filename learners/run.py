"""What a run is made of: a stream, a learner, and where it is, from what it was told."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from omegaconf import DictConfig

from learners.build import build_learner
from learners.rules.base import Learner
from runs.config import composing as told
from runs.evaluation.probes import Encoder
from runs.store.timing import Means
from streams.pairs.frame_buffer import longest
from streams.pairs.pairing import PairStream, build_pairs
from streams.pairs.single_frames import Moments
from streams.seeding import seed_of
from streams.sources import open_source
from streams.types import Pairs

PROBE = 8  # first batches of a stream, the largest of which the network is watched on


@dataclass
class Run:
    """The parts of a run, which are saved and resumed together."""

    settings: DictConfig
    stream: PairStream
    learner: Learner
    means: Means = field(default_factory=Means)
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
        longest_gap=longest(settings.pairs.gap_law, settings.pairs.gap),
        **told.keywords(settings.learner, "name"),
    )


def build_stream(
    settings: DictConfig, *, seed: int, encode: Encoder, record: str | None = None
) -> PairStream | Moments:
    """Pairs of frames of the world or recording that is asked for, at their beginning; single ones, if it remembers."""
    env, source = told.keywords(settings.env), told.keywords(settings.stream, "record")
    needed, device = settings.run.frames, told.device(settings)
    frames = open_source(env, seed=seed, device=device, frames=needed, record=record, **source)
    if settings.loss.get("remember"):
        return Moments(frames, gap=settings.pairs.gap, gap_law=settings.pairs.gap_law, seed=seed)
    pairs, memory = told.keywords(settings.pairs), told.keywords(settings.memory)
    return build_pairs(frames, pairs=pairs, memory=memory, worlds=env["num_worlds"], seed=seed, encode=encode)


def probe(settings: DictConfig, encode: Encoder) -> Pairs:
    """The batch that the network is watched on: of worlds that training does not see, and the same all along."""
    stream = build_stream(told.with_both_views(settings), seed=seed_of(settings.seed, "watch"), encode=encode)
    return max(islice(stream, PROBE), key=lambda pairs: len(pairs.episode))
