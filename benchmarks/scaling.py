"""How many frames a second so many worlds give on one device, beside what its memory could take of them.

    python benchmarks/scaling.py                 # 1,024 to 65,536 worlds, on the GPU where there is one
    python benchmarks/scaling.py --device cpu --worlds 64,256 --size 32

A round is whole episodes, so that every world meets a new object in it, which is drawn on the CPU. The floor is the
time in which the device writes as many bytes as the frames have, measured in turns with them. Frames stay on the
device, and on a GPU no step may wait for it.
"""

import envs  # noqa: F401  # isort: skip  before torch: it sets how threads wait

import argparse
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from machine import seconds, show

from envs.moving_objects import MovingObjectsVector

ROUNDS, SECONDS = 5, 1.0
EPISODE = 48  # steps
SCENE = {"shadows": False, "background": "plain", "episode_length": EPISODE}  # of benchmarks/worlds.py


def measured(worlds: int, device: torch.device, size: int) -> dict[str, float]:
    """Frames a second of so many worlds, and the share of a step's time in which the device could write its frames."""
    world = MovingObjectsVector(worlds, device=device, **SCENE, size=size)
    images, _ = world.reset(seed=0)
    assert images.device.type == device.type
    still, copy = torch.zeros(worlds, 2, device=device), torch.empty_like(images)

    def steps(count: int) -> None:
        with unhindered(device):
            for _ in range(count):
                world.step(still)
        wait(device)

    def write() -> None:
        copy.fill_(1)
        wait(device)

    steps(2)
    count = EPISODE * max(1, round(SECONDS / EPISODE / seconds(lambda: steps(1))))
    rounds = [(seconds(lambda: steps(count)) / count, seconds(write)) for _ in range(ROUNDS)]
    step, floor = (statistics.median(times) for times in zip(*rounds, strict=True))
    return {"frames_per_s": worlds / step, "floor_over_step": floor / step, "steps_a_round": count}


@contextmanager
def unhindered(device: torch.device) -> Iterator[None]:
    """On a GPU torch raises an error where the host would have to wait for it."""
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")


def wait(device: torch.device) -> None:
    """Until the device has done all that it was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Prints a table and keeps benchmarks/results/scaling.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=torch.device, default=torch.device(default))
    parser.add_argument("--worlds", default="1024,4096,16384,65536", help="how many at once, with commas between")
    parser.add_argument("--size", type=int, default=64, help="pixels along an edge")
    args = parser.parse_args()
    speeds = {count: measured(count, args.device, args.size) for count in map(int, args.worlds.split(","))}
    name = torch.cuda.get_device_name(args.device) if args.device.type == "cuda" else "CPU"
    rows = [
        (f"{count:,}", f"{of['frames_per_s']:,.0f}", f"{100 * of['floor_over_step']:.2f} %")
        for count, of in speeds.items()
    ]
    results, head = {"device": name, "size": args.size, "by_worlds": speeds}, ("worlds", "frames/s", "floor's share")
    show("scaling", results, title=f"MovingObjects on {name}", head=head, rows=rows)


if __name__ == "__main__":
    main()
