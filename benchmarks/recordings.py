"""What recording a stream costs, and how fast recordings and pictures are read back.

python benchmarks/recordings.py            # all questions
python benchmarks/recordings.py zstd png   # some of them
"""

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import closing
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from time import process_time

import numpy as np
import torch
from machine import answer, medians, seconds
from PIL import Image
from torch.utils.data import DataLoader
from zstandard import ZstdDecompressor

from envs.images.decoding import picture
from learners.online import PROGRAM, build
from streams.importing import ImportSettings, import_stream
from streams.media.pictures import decoded
from streams.process.errors import keep_memory
from streams.record import record
from streams.recording.checksum import CRC
from streams.recording.codec import ENTRY, decode_steps, encode
from streams.recording.reader import Recording
from streams.replay.sequential import Replay, ReplaySettings

ROUNDS, FRAMES, UPDATES = 5, 16_384, 16
DEFAULTS = ["device=cpu", "eval.every=0"]


def in_turns(*jobs: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """The median seconds of each of several jobs."""
    return list(medians(dict(enumerate(jobs)), rounds=rounds).values())


def walk(folder: Path, *, size: int) -> str:
    """A recording of the default world at this size."""
    path = folder / f"walk{size}.zarr"
    if not path.exists():
        record(
            [f"env.size={size}", "env.num_worlds=64", "device=cpu", f"record.path={path}", f"record.frames={FRAMES}"]
        )
    return str(path)


def replayed(path: str) -> None:
    """Every frame of a recording, once."""
    with closing(Replay(ReplaySettings(path=path))) as replay:
        deque(replay, maxlen=0)


def compressed(path: str) -> list[bytes]:
    """Every chunk of every array, as zstd has left it."""
    recording, chunks = Recording(path), []
    for layout in recording.layouts.values():
        for shard in range(-(-recording.committed // layout.shard[0])):
            with recording.folder.open(layout.key(shard)) as file:
                data = file.read()
            end = len(data) - int(np.prod(layout.grid)) * ENTRY - CRC
            index = np.frombuffer(data[end:-CRC], "<u8").reshape(-1, 2)
            chunks += [data[place : place + length - CRC] for place, length in index.astype(np.int64) if place >= 0]
    return chunks


def against_zstd(folder: Path) -> dict[str, float]:
    """Sequential replay at 64x64 beside the bare decompression of the same chunks by zstd, in memory and one thread."""
    path = walk(folder, size=64)
    chunks = compressed(path)
    decompress = ZstdDecompressor().decompress
    replay, bare = in_turns(partial(replayed, path), lambda: [decompress(chunk) for chunk in chunks])
    return {"replay_frames_per_s": FRAMES / replay, "replay_over_zstd": bare / replay}


def loader_of(files: list[Path]) -> DataLoader:
    """A folder of pictures, as torch reads one with two workers."""
    return DataLoader(files, batch_size=64, num_workers=2, persistent_workers=True, collate_fn=_read)


def _read(files: list[Path]) -> torch.Tensor:
    return torch.stack([torch.from_numpy(picture(file).copy()).permute(2, 0, 1) for file in files])


def pictures(folder: Path) -> list[Path]:
    """The frames of the walk at 64x64 as PNG files."""
    (folder / "pictures").mkdir(exist_ok=True)
    recording = Recording(walk(folder, size=64))
    frames = recording.span(0, FRAMES // 64, "images").reshape(-1, 64, 64, 3)
    files = [folder / "pictures" / f"{number:06d}.png" for number in range(FRAMES)]
    for file, frame in zip(files, frames, strict=True):
        Image.fromarray(frame).save(file)
    return files


def against_png(folder: Path) -> dict[str, float]:
    """Sequential replay at 64x64 beside a folder of PNG files through torch's DataLoader with two workers.

    Processor time counts every thread and worker, and depends less on what else the machine does.
    """
    path, files, workers = walk(folder, size=64), pictures(folder), _of_children()
    jobs = partial(list, loader_of(files)), partial(replayed, path)
    png, replay = in_turns(*jobs)
    own, replaying = (seconds(job, clock=process_time) for job in jobs)
    del jobs  # whose workers end: only then are they counted
    decoding = own + (_of_children() - workers) / (ROUNDS + 2)
    return {
        "png_frames_per_s": FRAMES / png,
        "replay_over_png": png / replay,
        "png_processor_us_a_frame": decoding / FRAMES * 1e6,
        "replay_processor_us_a_frame": replaying / FRAMES * 1e6,
    }


def _of_children() -> float:
    """Processor seconds of the processes that this one has started and that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def importing(folder: Path) -> dict[str, float]:
    """Importing a folder of PNG files beside the parts of it: decoding alone, and all but decoding, from an array.

    Importing is bound by decoding where the first takes longer than the second. Beside them torch's DataLoader decodes.
    """
    files, new = pictures(folder), folder / "new.zarr"
    np.save(folder / "frames.npy", np.stack([picture(file) for file in files]))

    def bring(source: str = "pictures") -> None:
        shutil.rmtree(new, ignore_errors=True)
        import_stream(ImportSettings(source=str(folder / source), path=str(new)))

    def decode() -> None:
        deque(decoded([str(file) for file in files], size=0), maxlen=0)

    jobs = bring, decode, partial(bring, "frames.npy"), partial(list, loader_of(files))
    whole, decoding, rest, loading = in_turns(*jobs)
    return {
        "import_frames_per_s": FRAMES / whole,
        "decoding_share_of_import": decoding / whole,
        "rest_share_of_import": rest / whole,
        "torch_loader_share_of_import": loading / whole,
    }


def recording_cost(folder: Path) -> dict[str, float]:
    """What recording adds to the time of the online loop with its defaults, one shard a turn."""
    plain = build(PROGRAM.read(DEFAULTS))
    recorded = build(PROGRAM.read([*DEFAULTS, f"stream.record={folder / 'online.zarr'}"]))

    def loop(run) -> None:
        for pairs in islice(run.stream, UPDATES):
            run.learner.update(pairs)

    with closing(recorded.stream.frames):
        without, with_it = in_turns(lambda: loop(plain), lambda: loop(recorded), rounds=3)
    return {"loop_frames_per_s": UPDATES * 128 / without, "recording_adds": with_it / without - 1}


def supply(folder: Path) -> dict[str, float]:
    """Frames that replay gives at 32x32 while the default learner consumes one."""
    path = walk(folder, size=32)
    run = build(PROGRAM.read([*DEFAULTS, "stream=replay", f"stream.path={path}", "run.frames=4096"]))
    batches = list(islice(run.stream, UPDATES))
    learn, replay = in_turns(lambda: [run.learner.update(pairs) for pairs in batches], lambda: replayed(path))
    consumed = sum(len(pairs.episode) for pairs in batches) / learn
    return {"learner_frames_per_s": consumed, "replay_over_learner": FRAMES / replay / consumed}


def sealing(folder: Path) -> dict[str, float]:
    """What the seal, which binds a file to its place, adds to packing and to unpacking a shard of 1,024 frames."""
    recording = Recording(walk(folder, size=64))
    sealed = recording.layouts["images"]
    steps, plain, jobs = recording.span(0, sealed.shard[0], "images"), sealed._replace(recording=""), []
    for layout in (sealed, plain):
        file, out = BytesIO(encode(layout, steps, number=0)), np.empty_like(steps)
        jobs += [partial(encode, layout, steps, number=0), partial(decode_steps, layout, file, 0, out, number=0)]
    packing, unpacking, plain_packing, plain_unpacking = in_turns(*jobs, rounds=4 * ROUNDS)
    return {"seal_adds_packing": packing / plain_packing - 1, "seal_adds_unpacking": unpacking / plain_unpacking - 1}


QUESTIONS = {
    "sealing": sealing,
    "zstd": against_zstd,
    "png": against_png,
    "importing": importing,
    "recording": recording_cost,
    "supply": supply,
}


def main() -> None:
    """Prints a table and keeps benchmarks/results/recordings.json."""
    keep_memory()  # as every command does
    with tempfile.TemporaryDirectory() as folder:
        answer("recordings", {name: partial(job, Path(folder)) for name, job in QUESTIONS.items()}, title="Recordings")


if __name__ == "__main__":
    main()
