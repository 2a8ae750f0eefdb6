"""Checks a recording: every committed chunk against its checksum, and a summary.

python -m streams.check walk.zarr [--json]
"""

import argparse
import json
from typing import Any, BinaryIO

import numpy as np
from rich.console import Console
from rich.table import Table

from streams.process.errors import guarded
from streams.process.progress import Bar
from streams.recording.checksum import Damaged
from streams.recording.codec import Layout, decode
from streams.recording.reader import Recording


def examine(path: str, *, console: Console | None = None) -> dict[str, Any]:
    """A summary of a recording, as plain data.

    `damaged` has a line for every chunk that is not what was written, the same one where all of a file is damaged.
    `sound_steps` is the number of whole steps from the beginning on. Sizes are in bytes.

    Raises SettingError: no recording is there, or it contradicts itself.
    """
    recording = Recording(path, setting="path")
    steps, layouts = recording.committed, recording.layouts
    length = layouts["images"].shard[0]
    shards = -(-steps // length)
    damaged, sound_steps, stored, chunks = [], steps, 0, 0
    with Bar(console or Console(quiet=True), done=0, total=steps * recording.worlds) as bar:
        for shard in range(shards):
            for layout in layouts.values():
                times, sides = layout.grid
                times = min(times, -(-(steps - shard * length) // layout.chunk[0]))  # that hold any committed step
                numbers = np.arange(times * sides)
                faults, size = _damaged(recording, layout, shard, numbers)
                chunks, stored = chunks + len(numbers), stored + size
                damaged += [f"{path}/{layout.key(shard)} {fault}" for fault in faults.values()]
                begins = [shard * length + number // sides * layout.chunk[0] for number in faults]
                sound_steps = min([sound_steps, *begins])
            bar.show(min((shard + 1) * length, steps) * recording.worlds)
    raw = sum(np.dtype(layout.kind).itemsize * int(np.prod(layout.shard[1:])) for layout in layouts.values()) * steps
    return {
        "path": path,
        "frames": steps * recording.worlds,
        "steps": steps,
        "worlds": recording.worlds,
        "size": list(recording.size),
        "episodes": len(np.unique(recording.span(0, steps, "episode"))) if not damaged else None,
        "env": recording.facts["env"].get("name"),
        "seed": recording.facts["seed"],
        "factors": recording.facts["factors"],
        "bytes": stored,
        "compression": raw / stored if stored else None,
        "chunks": chunks,
        "damaged": damaged,
        "sound_steps": sound_steps,
    }


def table(summary: dict[str, Any]) -> Table:
    """The summary for a terminal."""
    rows = Table(title=summary["path"], title_justify="left", show_header=False)
    height, width = summary["size"]
    compression = f", {summary['compression']:.1f} times smaller than the numbers" if summary["compression"] else ""
    for name, text in {
        "frames": f"{summary['frames']:,}: {summary['steps']:,} steps of {summary['worlds']} worlds, {width}x{height}",
        "episodes": "-" if summary["episodes"] is None else f"{summary['episodes']:,}",
        "world": f"{summary['env']}, seed {summary['seed']}",
        "factors": ", ".join(summary["factors"]) or "none",
        "stored": f"{summary['bytes'] / 1e6:,.1f} MB{compression}",
        "chunks": f"{summary['chunks'] - len(summary['damaged']):,} of {summary['chunks']:,} sound",
    }.items():
        rows.add_row(name, text)
    return rows


def check(path: str, *, as_json: bool = False) -> int:
    """Prints the summary of a recording; returns 1 where something is damaged."""
    console = Console()
    summary = examine(path, console=None if as_json else console)
    if as_json:
        print(json.dumps(summary, indent=2))  # noqa: T201
        return int(bool(summary["damaged"]))
    console.print(table(summary))
    for line in dict.fromkeys(summary["damaged"]):  # damage to a whole file once
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if summary["damaged"]:
        sound = f"{summary['sound_steps']:,} of {summary['steps']:,} steps"
        console.print(f"the first {sound} are sound; read no further, or record it anew", highlight=False)
    return int(bool(summary["damaged"]))


def main() -> None:
    """Runs the command on the process's arguments."""
    parser = argparse.ArgumentParser(prog="python -m streams.check", description="Whether a recording is sound.")
    parser.add_argument("path", help="a recording: a folder, or any fsspec URL")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    args = parser.parse_args()
    raise SystemExit(guarded(check, args.path, as_json=args.json, place="path", stopped="nothing was changed"))


def _damaged(recording: Recording, layout: Layout, shard: int, numbers: np.ndarray) -> tuple[dict[int, str], int]:
    """The fault of each damaged chunk of a shard by its number, and the size of the file in bytes."""
    try:
        with recording.folder.open(layout.key(shard)) as file:
            return _faults(layout, file, numbers), file.seek(0, 2)
    except FileNotFoundError:
        return dict.fromkeys(numbers.tolist(), "is missing"), 0


def _faults(layout: Layout, file: BinaryIO, numbers: np.ndarray) -> dict[int, str]:
    """Decodes all chunks at once and, where there is damage, one by one."""
    try:
        for _ in decode(layout, file, numbers):
            pass
    except Damaged as error:
        if len(numbers) == 1:
            return {int(numbers[0]): str(error)}
        return {one: fault for own in numbers[:, None] for one, fault in _faults(layout, file, own).items()}
    return {}


if __name__ == "__main__":
    main()
