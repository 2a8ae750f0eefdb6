"""Whether a recording is what was written: every committed chunk against its checksum, and what there is.

python -m streams.check walk.zarr [--json]
"""

import argparse
import json
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from streams.process.errors import guarded
from streams.process.progress import Bar
from streams.recording.codec import Damaged, Layout, decode
from streams.recording.reader import Recording


def examine(path: str, *, console: Console | None = None) -> dict[str, Any]:
    """What a recording holds, as plain data.

    `damaged` has a line for every chunk that is not what was written, the same one where all of a file is damaged.
    `sound_steps` is how many steps from the beginning on are whole. Sizes are in bytes.

    Raises:
        SettingError: no recording is there, or it contradicts itself.
    """
    recording = Recording(path, setting="path")
    steps, layouts = recording.committed, recording.layouts
    length = layouts["images"].shard[0]
    shards = -(-steps // length)
    damaged, first_hurt, stored, chunks = [], steps, 0, 0
    with Bar(console or Console(quiet=True), done=0, total=steps * recording.worlds) as bar:
        for shard in range(shards):
            for layout in layouts.values():
                wanted = _committed(layout, steps - shard * length)
                found, size = _damaged(recording, layout, shard, wanted)
                chunks, stored = chunks + len(wanted), stored + size
                damaged += [f"{path}/{layout.key(shard)} {what}" for what in found.values()]
                hurt = [shard * length + number // layout.grid[1] * layout.chunk[0] for number in found]
                first_hurt = min([first_hurt, *hurt])
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
        "sound_steps": first_hurt,
    }


def table(found: dict[str, Any]) -> Table:
    """The summary for a terminal."""
    shown = Table(title=found["path"], title_justify="left", show_header=False)
    height, width = found["size"]
    compression = f", {found['compression']:.1f} times smaller than the numbers" if found["compression"] else ""
    lines = {
        "frames": f"{found['frames']:,}: {found['steps']:,} steps of {found['worlds']} worlds, {width}x{height}",
        "episodes": "-" if found["episodes"] is None else f"{found['episodes']:,}",
        "world": f"{found['env']}, seed {found['seed']}",
        "factors": ", ".join(found["factors"]) or "none",
        "stored": f"{found['bytes'] / 1e6:,.1f} MB{compression}",
        "chunks": f"{found['chunks'] - len(found['damaged']):,} of {found['chunks']:,} sound",
    }
    for name, text in lines.items():
        shown.add_row(name, text)
    return shown


def check(path: str, *, as_json: bool = False) -> int:
    """Prints what was found; 1 where something is damaged."""
    console = Console()
    found = examine(path, console=None if as_json else console)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201
        return int(bool(found["damaged"]))
    console.print(table(found))
    for line in dict.fromkeys(found["damaged"]):  # what hurts a whole file is told once
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if found["damaged"]:
        sound = f"{found['sound_steps']:,} of {found['steps']:,} steps"
        console.print(f"the first {sound} are sound; read no further, or record it anew", highlight=False)
    return int(bool(found["damaged"]))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m streams.check", description="Whether a recording is sound.")
    parser.add_argument("path", help="a recording: a folder, or any fsspec URL")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    told = parser.parse_args()
    raise SystemExit(guarded(check, told.path, as_json=told.json, place="path", stopped="nothing was changed"))


def _committed(layout: Layout, steps: int) -> np.ndarray:
    """The numbers of a shard's chunks that hold any of its first so many steps."""
    times, sides = layout.grid
    return np.arange(min(times, -(-steps // layout.chunk[0])) * sides)


def _damaged(recording: Recording, layout: Layout, shard: int, wanted: np.ndarray) -> tuple[dict[int, str], int]:
    """What is wrong with which chunks of a shard, and the size of its file."""
    try:
        with recording.folder.open(layout.key(shard)) as file:
            size = file.seek(0, 2)
            try:
                for _ in decode(layout, file, wanted):
                    pass
                return {}, size
            except Damaged:
                return {int(number): what for number in wanted if (what := _wrong(layout, file, number))}, size
    except FileNotFoundError:
        return dict.fromkeys(wanted.tolist(), "is missing"), 0


def _wrong(layout: Layout, file, number: int) -> str | None:
    try:
        list(decode(layout, file, np.array([number])))
    except Damaged as error:
        return str(error)
    return None


if __name__ == "__main__":
    main()
