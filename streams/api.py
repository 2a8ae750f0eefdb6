"""Streams in Python: pairs of any world or recording, and recordings as arrays.

>>> import gymnasium as gym, streams
>>> world = gym.make_vec("Counting-v0", num_envs=4, size=16)
>>> pairs = next(streams.pairs(world, gap=2))
>>> tuple(pairs.first.shape)
(4, 3, 16, 16)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from envs.arguments import typed
from envs.contract import missing
from envs.devices import device as device_of
from envs.errors import SettingError, no_such, unknown
from streams.live import Live
from streams.pairing.features import FeaturesOf
from streams.pairing.memory import BufferSettings, MemorySettings
from streams.pairing.pairing import AugmentationSettings, BothSettings, PairStream, TemporalSettings, build_pairs
from streams.recording.arrays import RecordedArrays
from streams.replay.sequential import Replay, ReplaySettings
from streams.replay.shuffled import ShuffledReplay
from streams.sources import recorded
from streams.types import Pairs, Source
from streams.watching import Policy, Watched

World = gym.vector.VectorEnv
KINDS = {"temporal": TemporalSettings, "augmentation": AugmentationSettings, "both": BothSettings}


@typed
def pairs(
    source: World | RecordedArrays | str | Path | Sequence[str | Path],
    *,
    gap: int = 4,
    kind: str = "temporal",
    views: str = "tang2022",
    gap_distribution: str = "fixed",
    symmetric: bool = False,
    memory: str = "none",
    capacity: int = 4096,
    updates: int = 1,
    order: str = "sequential",
    worlds: int = 0,
    repeat: bool = False,
    gaze: str = "fixed",
    policy: Policy | None = None,
    encode: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> PairStream:
    """An iterator of `Pairs` from a vector environment, or from recordings, without any configuration.

    Args:
        source: N worlds (`gymnasium.make_vec`), also of other environments that show images; or a recording, as
            `open` returns it or by its path, or the paths of several. (Of parts of one, `select` makes a recording.)
        gap: steps from the first frame of a pair to the second; the most, or the mean, where it is drawn.
        kind: temporal, augmentation (two views of one frame) or both.
        views: the augmentation, of the latter two kinds: tang2022, simclr, crops or lighting.
        gap_distribution: fixed, uniform (1 to gap) or geometric (mean gap).
        symmetric: draw which of two frames comes first.
        memory: none, fifo, reservoir or minred, from which batches are drawn.
        capacity: frames that a memory holds.
        updates: batches a step.
        order: of recordings: sequential, window, shuffled or episodes.
        worlds: frames at once of recordings, and so rows of a batch; 0 for as many as were recorded. Whatever the
            order, the first `gap` steps make no pairs, so that all orders give equally many.
        repeat: whether a recording begins anew at its end.
        gaze: what the eye of a world of ours does: fixed, pursuit or saccades.
        policy: actions from (observations, step) of any other environment; by default they are drawn at random.
        encode: images (B, 3, H, W) to features (B, D), which memory=minred compares frames by.
        seed: of the worlds and of all draws.
        device: where pairs are made: cpu, cuda, ...; worlds of ours say it themselves.

    Returns:
        Pairs, one batch after another, of as many rows as a step brought (one, where there is one world): `first` and
        `second` (B, 3, H, W) float in [0, 1], `gap` and `episode` (B,).
        It can be saved and resumed by `state_dict`, except where the environment is no world of ours.

    Raises:
        SettingError: a name or value that cannot work, or an environment without images.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    device = device_of(device)
    fields: dict[str, Any] = {"gap": gap, "gap_distribution": gap_distribution}
    fields |= {"views": views} if kind != "temporal" else {}
    fields |= {"symmetric": symmetric} if kind != "augmentation" else {}
    if memory == "minred" and encode is None:
        raise SettingError("memory=minred compares frames by their features; give encode=")
    buffer = MemorySettings(updates=updates) if memory == "none" else BufferSettings(memory, updates, capacity)
    replay = ReplaySettings(order=order, worlds=worlds, repeat=repeat)
    frames, count = _source(source, replay, gaze=gaze, policy=policy, seed=seed, device=device)
    settings = KINDS[kind](**fields)
    encode = encode and FeaturesOf(encode)
    return build_pairs(frames, pairs=settings, memory=buffer, worlds=count, seed=seed, encode=encode, least=1)


def _source(
    source: World | RecordedArrays | str | Path | Sequence[str | Path],
    replay: ReplaySettings,
    *,
    gaze: str,
    policy: Policy | None,
    seed: int,
    device: torch.device,
) -> tuple[Source, int]:
    """The source of frames, and how many there are a step."""
    if isinstance(source, gym.vector.VectorEnv):
        if policy is None and not missing(source):
            return Live(source, seed=seed, gaze=gaze), source.num_envs
        return Watched(source, seed=seed, policy=policy, device=device), source.num_envs
    if isinstance(source, RecordedArrays):
        source = source.path
    replay.path = str(source) if isinstance(source, str | Path) else [str(path) for path in source]
    kind = ShuffledReplay if replay.order in ("window", "shuffled") else Replay
    replayed = kind(replay, seed=seed, device=device)
    return replayed, replayed.rows


@typed
def open_recording(path: str | Path) -> RecordedArrays:
    """A recording as arrays that are read when they are indexed; public as `streams.open`.

    Raises SettingError: there is none, or it contradicts itself.
    """
    return RecordedArrays(str(path))


@typed
def write(world: World, path: str | Path, *, frames: int, seed: int = 0, gaze: str = "fixed") -> RecordedArrays:
    """Records a world of ours; a path that has its recording already goes on with it.

    Args:
        world: N worlds, as from `gymnasium.make_vec`.
        path: a folder, new or of this world's recording, or any fsspec URL.
        frames: how many to have in the end, of all worlds together.
        seed: of the worlds.
        gaze: fixed, pursuit or saccades.

    Raises:
        SettingError: no world of ours, or a path that holds something else.
    """
    if frames < 1:
        raise SettingError(f"frames={frames} records nothing; give 1 or more")
    live = Live(world, seed=seed, gaze=gaze)
    settings = replace(live.world.settings, num_worlds=world.num_envs)
    source = recorded(live, str(path), settings, seed=seed, gaze=gaze, setting="path")
    with closing(source):
        source.go_on()
        while (live.step + 1) * world.num_envs < frames:
            next(source)
        source.state_dict()
    return RecordedArrays(str(path))


class PairDataset(IterableDataset):
    """Pairs as a `torch.utils.data` data set, for a training loop, Lightning or lightly.

    Batches come as the stream makes them, so a `DataLoader` is given `batch_size=None`:

        loader = DataLoader(PairDataset("walk.zarr", gap=4), batch_size=None)

    Args:
        source: as in `streams.pairs`, with all its keywords.
        as_views: whether items are `([first, second], episode)` instead of `Pairs`, which libraries for two views take.
        batches: how many there are; None for as many as the source gives.
    """

    @typed
    def __init__(self, source: Any, *, as_views: bool = False, batches: int | None = None, **options: Any):
        super().__init__()
        known = [*signature(pairs).parameters][1:]
        for name in options:
            if name not in known:
                raise no_such(name, known)
        if batches is not None and batches < 1:
            raise SettingError(f"batches={batches} gives nothing; give 1 or more, or None for as many as there are")
        self.source, self.options, self.as_views, self.batches = source, options, as_views, batches

    def __iter__(self) -> Iterator[Any]:
        """Begins the stream anew: with the same seed, the same batches (`repeat=True` goes on with others).

        Raises SettingError: several workers, which would each show the same pairs.
        """
        worker = get_worker_info()
        if worker and worker.num_workers > 1:
            raise SettingError(f"num_workers={worker.num_workers} would show each pair as often; try 0 or 1")
        for number, batch in enumerate(pairs(self.source, **self.options)):
            if number == self.batches:
                return
            yield self._item(batch)

    def _item(self, batch: Pairs) -> Any:
        return ([batch.first, batch.second], batch.episode) if self.as_views else batch
