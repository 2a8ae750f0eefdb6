"""The schemas of the groups that say where frames come from, how they are paired, and what is kept of them."""

from streams.live import LiveSettings
from streams.pairs.memory import BufferSettings, MemorySettings
from streams.pairs.pairing import AugmentationSettings, BothSettings, TemporalSettings
from streams.replay.sequential import ReplaySettings

SCHEMAS: dict[tuple[str | None, str], type] = {
    ("stream", "live_schema"): LiveSettings,
    ("stream", "replay_schema"): ReplaySettings,
    ("pairs", "temporal_schema"): TemporalSettings,
    ("pairs", "augmentation_schema"): AugmentationSettings,
    ("pairs", "both_schema"): BothSettings,
    ("memory", "none_schema"): MemorySettings,
    ("memory", "buffer_schema"): BufferSettings,
}
