"""Draws a recording: worlds over time as a film strip, an animation or a video.

python -m streams.view walk.zarr                          # walk.png
python -m streams.view walk.zarr --out walk.gif --worlds 4 --start 1000
python -m streams.view walk.zarr --out walk.mp4 --steps 600    # needs the extra: pip install 'contiguity[video]'
"""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from envs.errors import SettingError, unknown
from envs.images.animation import gif
from envs.images.tiles import tile
from streams.process.errors import guarded
from streams.recording.reader import Recording

KINDS = (".png", ".gif", ".mp4")
MIN_EDGE = 64  # pixels along a frame's edge; smaller frames are enlarged
GAP = 2  # pixels between frames
RATE = 12  # steps a second


def frames_of(path: str, *, worlds: int, steps: int, start: int = 0, stride: int = 1) -> np.ndarray:
    """(rows, T, H, W, 3) uint8: the first worlds of a recording, every `stride` steps from `start` on.

    Raises SettingError: no recording, or nothing there.
    """
    recording = Recording(path, setting="path")
    for name, value, least in (("worlds", worlds, 1), ("steps", steps, 1), ("stride", stride, 1), ("start", start, 0)):
        if value < least:
            raise SettingError(f"--{name} {value} shows nothing; try {least} or more")
    if not recording.committed:
        raise SettingError(f"{path} holds no frames yet; let the recording run on")
    when = np.arange(start, min(start + steps * stride, recording.committed), stride)
    if not len(when):
        raise SettingError(f"--start {start} is past the end of {path}, which has {recording.committed} steps")
    rows = min(worlds, recording.worlds)
    at = np.tile(when, rows), np.repeat(np.arange(rows), len(when))
    images = recording.gather(*at, names=["images"])["images"]
    return images.reshape(rows, len(when), *images.shape[1:])


def write(frames: np.ndarray, out: Path) -> None:
    """Writes frames (rows, T, H, W, 3) as a strip (.png), an animation (.gif) or a video (.mp4).

    Raises SettingError: another ending, or a video without the extra that makes videos.
    """
    scale = -(-MIN_EDGE // frames.shape[2])
    steps = (tile(frames[None, :, step], scale=scale, gap=GAP) for step in range(frames.shape[1]))
    if out.suffix == ".png":
        Image.fromarray(tile(frames, scale=scale, gap=GAP)).save(out)
    elif out.suffix == ".gif":
        out.write_bytes(gif(steps, fps=RATE))
    elif out.suffix == ".mp4":
        write_video(steps, out)
    else:
        raise unknown("--out", out, [f"{out.stem}{kind}" for kind in KINDS])


def write_video(pictures: Iterable[np.ndarray], out: Path) -> None:
    """Writes pictures (h, w, 3) uint8 as an H.264 video. Raises SettingError where PyAV is not installed."""
    try:
        import av
    except ImportError:
        raise SettingError(f"--out {out} needs PyAV; pip install 'contiguity[video]', or try a .gif") from None
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            even = np.pad(picture, [(0, edge % 2) for edge in picture.shape[:2]] + [(0, 0)], mode="edge")  # for H.264
            stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())


def view(path: str, *, out: Path | None, worlds: int, steps: int | None, start: int, stride: int) -> int:
    """Writes the frames as a picture, animation or video, prints its path and returns 0."""
    out = out or Path(f"{Path(os.path.realpath(path)).stem or 'recording'}.png")
    steps = (12 if out.suffix == ".png" else 120) if steps is None else steps
    write(frames_of(path, worlds=worlds, steps=steps, start=start, stride=stride), out)
    print(out)  # noqa: T201
    return 0


def main() -> None:
    """Runs the command on the process's arguments."""
    parser = argparse.ArgumentParser(prog="python -m streams.view", description="Look at a recording.")
    parser.add_argument("path", help="a recording: a folder, or any fsspec URL")
    parser.add_argument("--out", type=Path, help="a .png, .gif or .mp4; named after the recording where absent")
    parser.add_argument("--worlds", type=int, default=6, help="how many of them, at most")
    parser.add_argument("--steps", type=int, help="how many are shown, at most; 12 of a .png, 120 of others")
    parser.add_argument("--start", type=int, default=0, help="the first step")
    parser.add_argument("--stride", type=int, default=1, help="steps between two that are shown")
    args = vars(parser.parse_args())
    raise SystemExit(guarded(view, args.pop("path"), place="--out", stopped="nothing whole was written", **args))


if __name__ == "__main__":
    main()
