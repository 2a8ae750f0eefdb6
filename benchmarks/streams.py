"""What stands between a world and a learner: what views, memories and long streams cost.

python benchmarks/streams.py                 # all questions
python benchmarks/streams.py augmentation    # one of them
"""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import gymnasium as gym
import kornia.augmentation as kornia
import torch
from machine import answer, medians, seconds

from envs.settings import as_json, world
from streams.live import Live
from streams.pairing.augmentation import AREA, FLIPPED, GREYED, HUE, JITTER, JITTERED, KINDS, RATIO
from streams.pairing.memory import BufferSettings
from streams.pairing.minred import MinRed
from streams.pairing.pairing import BothSettings, build_pairs
from streams.recording.recorder import Recorded
from streams.replay.sequential import Replay, ReplaySettings
from streams.replay.shuffled import ShuffledReplay
from streams.seeding import generator
from streams.types import Rows

ROUNDS = 13


def augmentation(*, size: int = 32, batch: int = 256) -> dict[str, float]:
    """Views beside Kornia's default pipeline of SimCLR's operations."""
    images = torch.rand(batch, 3, size, size)
    default = torch.nn.Sequential(
        kornia.RandomResizedCrop((size, size), scale=AREA, ratio=RATIO),
        kornia.RandomHorizontalFlip(p=FLIPPED),
        kornia.ColorJitter(JITTER, JITTER, JITTER, HUE, p=JITTERED),
        kornia.RandomGrayscale(p=GREYED),
    )
    turn = count()
    jobs = {name: (lambda view=view: view(images, generator(0, "views", next(turn)))) for name, view in KINDS.items()}
    took = medians({"kornia": lambda: default(images), **jobs}, rounds=ROUNDS, warm=2)
    rates = {f"{name}_images_per_s": batch / time for name, time in took.items()}
    return rates | {"simclr_over_kornia": took["kornia"] / took["simclr"]}


def minred() -> dict[str, float]:
    """Milliseconds to insert 64 frames into 4,096, where every step is trained on by one update, or by four."""
    return {f"insertion_ms_after_{updates}": 1000 * insertion(updates=updates) for updates in (1, 4)}


def insertion(*, updates: int, capacity: int = 4096, batch: int = 64, features: int = 1024) -> float:
    """Median seconds of an insertion into a MinRed memory once it is full."""
    memory, draws = MinRed(BufferSettings(capacity=capacity)), torch.Generator().manual_seed(0)
    looks = torch.randn(64, features, generator=draws)  # episodes look alike in themselves
    took = []
    for _ in range(capacity // batch + 60):
        images = torch.randint(0, 256, (batch, 32, 32, 3), dtype=torch.uint8, generator=draws)
        episode = torch.randint(64, (batch,), generator=draws)
        rows = Rows((images,), torch.zeros(batch, dtype=torch.int64), episode, {})
        took.append(seconds(lambda rows=rows: memory.add(rows)))
        for _ in range(updates):
            rows_drawn, slots = memory.draw(batch, draws)
            noise = torch.randn(batch, features, generator=draws)
            memory.remember(slots, torch.relu(looks[rows_drawn.episode] + 0.5 * noise))
    return statistics.median(took[-50:])


def long_stream(*, frames: int = 1_000_000) -> dict[str, float]:
    """Megabytes by which a process grows between a tenth and all of a stream with a memory, recorded and replayed."""
    env = {"num_worlds": 512, "size": 8, "stagger": True}

    def live() -> Live:
        return Live(gym.make_vec("Counting-v0", num_envs=512, size=8, stagger=True), seed=0)

    memory = BufferSettings(name="reservoir", capacity=4096)
    pairs = build_pairs(live(), pairs=BothSettings(views="lighting"), memory=memory)
    results = {"frames": frames, "grew_mb": growth((batch.frames for batch in pairs), frames)}
    with tempfile.TemporaryDirectory() as folder:
        about = {"env": as_json(world("counting", env)), "seed": 0, "gaze": "fixed"}
        with closing(Recorded(live(), f"{folder}/long.zarr", about)) as recorded:
            frame_counts = (512 * (one.step + 1) for one in recorded)
            results["grew_mb_recording"] = growth(frame_counts, frames)
            recorded.state_dict()
        for order in ("sequential", "window"):
            kind = ShuffledReplay if order == "window" else Replay
            with closing(kind(ReplaySettings(path=f"{folder}/long.zarr", order=order))) as replay:
                frame_counts = (512 * (one.step + 1) for one in replay)
                results[f"grew_mb_replaying_{order}"] = growth(frame_counts, frames - 16_384)
    return results


def growth(frame_counts: Iterator[int], frames: int) -> float:
    """Megabytes by which this process grows between a tenth of so many frames and all of them."""
    next(count for count in frame_counts if count >= frames // 10)
    held = resident()
    next(count for count in frame_counts if count >= frames)
    return resident() - held


def resident() -> float:
    """Megabytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    """Prints a table and keeps benchmarks/results/streams.json."""
    questions = {"augmentation": augmentation, "minred": minred, "long_stream": long_stream}
    answer("streams", questions, title="Views, memories and long streams")


if __name__ == "__main__":
    main()
