"""Look at a recording: worlds over time as a film strip, an animation or a film.

python -m streams.view walk.zarr                          # walk.png
python -m streams.view walk.zarr --out walk.gif --worlds 4 --start 1000
python -m streams.view walk.zarr --out walk.mp4 --steps 600    # needs the extra: pip install 'contiguity[video]'
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from envs.errors import SettingError, unknown
from streams.process.errors import guarded
from streams.recording.reader import Recording

KINDS = (".png", ".gif", ".mp4")
LEAST = 64  # pixels along a frame's edge: smaller ones are shown larger, each pixel a block
GAP = 2  # pixels between frames
RATE = 12  # steps a second


def look(path: str, *, worlds: int, steps: int, start: int = 0, stride: int = 1) -> np.ndarray:
    """(rows, T, H, W, 3) uint8: the first worlds of a recording, every so many steps from `start` on.

    Raises:
        SettingError: no recording, or nothing there.
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
    seen = recording.gather(np.tile(when, rows), np.repeat(np.arange(rows), len(when)), names=["images"])["images"]
    return seen.reshape(rows, len(when), *seen.shape[1:])


def write(frames: np.ndarray, out: Path) -> None:
    """Writes frames (rows, T, H, W, 3) as a strip (.png), an animation (.gif) or a film (.mp4).

    Raises:
        SettingError: another ending, or a film without the extra that makes films.
    """
    scale = -(-LEAST // frames.shape[2])
    frames = frames.repeat(scale, 2).repeat(scale, 3)
    if out.suffix == ".png":
        Image.fromarray(sheet(frames)).save(out)
    elif out.suffix == ".gif":
        moments = [Image.fromarray(sheet(frames[:, step : step + 1].swapaxes(0, 1))) for step in range(frames.shape[1])]
        moments[0].save(out, save_all=True, append_images=moments[1:], duration=1000 // RATE, loop=0)
    elif out.suffix == ".mp4":
        film(frames, out)
    else:
        raise unknown("--out", out, [f"{out.stem}{kind}" for kind in KINDS])


def sheet(frames: np.ndarray) -> np.ndarray:
    """One picture (h, w, 3) of frames (rows, columns, H, W, 3), white between them."""
    framed = np.pad(frames, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    rows, columns, height, width = framed.shape[:4]
    whole = framed.swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return whole[:-GAP, :-GAP]


def film(frames: np.ndarray, out: Path) -> None:
    """Writes frames (rows, T, H, W, 3) side by side as an H.264 film."""
    try:
        import av
    except ImportError:
        raise SettingError(f"--out {out} needs PyAV; pip install 'contiguity[video]', or try a .gif") from None
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        first = sheet(frames[:, :1].swapaxes(0, 1))
        stream.height, stream.width = (edge + edge % 2 for edge in first.shape[:2])  # H.264 wants even edges
        stream.pix_fmt = "yuv420p"
        for step in range(frames.shape[1]):
            shown = sheet(frames[:, step : step + 1].swapaxes(0, 1))
            shown = np.pad(shown, [(0, edge % 2) for edge in shown.shape[:2]] + [(0, 0)], mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode())


def view(path: str, *, out: Path | None, worlds: int, steps: int | None, start: int, stride: int) -> int:
    """Writes what is asked for, and says where."""
    out = out or Path(f"{Path(path).resolve().stem or 'recording'}.png")
    steps = (12 if out.suffix == ".png" else 120) if steps is None else steps
    write(look(path, worlds=worlds, steps=steps, start=start, stride=stride), out)
    print(out)  # noqa: T201
    return 0


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m streams.view", description="Look at a recording.")
    parser.add_argument("path", help="a recording: a folder, or any fsspec URL")
    parser.add_argument("--out", type=Path, help="a .png, .gif or .mp4; named after the recording where absent")
    parser.add_argument("--worlds", type=int, default=6, help="how many of them, at most")
    parser.add_argument("--steps", type=int, help="how many are shown, at most; 12 of a .png, 120 of others")
    parser.add_argument("--start", type=int, default=0, help="the first step")
    parser.add_argument("--stride", type=int, default=1, help="steps between two that are shown")
    told = vars(parser.parse_args())
    raise SystemExit(guarded(view, told.pop("path"), place="--out", stopped="nothing whole was written", **told))


if __name__ == "__main__":
    main()
