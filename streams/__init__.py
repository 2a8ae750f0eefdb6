"""From worlds to pairs: live streams, recordings, replays, and what is paired.

>>> import gymnasium as gym, streams
>>> world = gym.make_vec("Counting-v0", num_envs=4, size=16)
>>> pairs = next(streams.pairs(world, gap=2))
>>> tuple(pairs.first.shape), pairs.gap.tolist()
((4, 3, 16, 16), [2, 2, 2, 2])
"""

from typing import TYPE_CHECKING

import envs  # noqa: F401  registers the worlds, and sets how threads wait before torch is loaded
from envs.command.lazy import lazy
from envs.errors import SettingError

if TYPE_CHECKING:
    from streams.api import PairDataset, pairs, write
    from streams.api import open_recording as open
    from streams.recording.arrays import RecordedArrays
    from streams.recording.editing import select
    from streams.types import Frames, Pairs

__all__ = ["Frames", "PairDataset", "Pairs", "RecordedArrays", "SettingError", "open", "pairs", "select", "write"]
__getattr__ = lazy(
    __name__,
    {
        "Frames": "streams.types",
        "PairDataset": "streams.api",
        "Pairs": "streams.types",
        "RecordedArrays": "streams.recording.arrays",
        "open": "streams.api:open_recording",
        "pairs": "streams.api",
        "select": "streams.recording.editing",
        "write": "streams.api",
    },
)
