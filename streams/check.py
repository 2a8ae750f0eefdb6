"""Checks a recording: every committed chunk against its checksum and its place, and a summary.

python -m streams.check walk.zarr [--json]
python -m streams.check walk.zarr repair=true                   # what is damaged is made again from where it came
python -m streams.check walk.zarr repair=true otherwise=cut     # and what can't be is cut off (or masked)
"""

import argparse
import json
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from envs.command.help import help_text
from envs.command.text import printable
from envs.settings import read
from streams.process.errors import guarded
from streams.process.terminal import Terminal
from streams.recording.reader import COPY, Recording, record_in
from streams.recording.verify import verify
from streams.repair import RepairSettings, repair

CATEGORIES = 12  # whose names are shown


def examine(path: str, *, console: Console | None = None) -> dict[str, Any]:
    """A summary of a recording, as plain data.

    `damaged` has a line for every chunk that is not what was written, the same one where all of a file is damaged.
    `sound_steps` is the number of whole steps from the beginning on. Sizes are in bytes.

    Raises SettingError: no recording is there, or it contradicts itself.
    """
    recording = Recording(path, setting="path")
    steps, layouts = recording.committed, recording.layouts
    found = verify(recording, console=console)
    damaged = [fault.text for fault in found.faults]
    if recording.sealed and not record_in(recording.folder, COPY):
        damaged.append(f"{path}/{COPY} holds no sound copy of the commit record")
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
        "bytes": found.stored,
        "compression": raw / found.stored if found.stored else None,
        "chunks": found.chunks,
        "damaged": damaged,
        "sound_steps": found.sound_steps,
        "sealed": recording.sealed,
        "masked": recording.facts.get("masked", []),
        "categories": recording.categories,
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
        **({"categories": _few(summary["categories"])} if summary["categories"] else {}),
        "stored": f"{summary['bytes'] / 1e6:,.1f} MB{compression}",
        "chunks": f"{summary['chunks'] - len(summary['damaged']):,} of {summary['chunks']:,} sound",
    }.items():
        rows.add_row(name, text)
    return rows


def _few(names: list[str]) -> str:
    """The first of some names, and how many there are."""
    first = ", ".join(map(printable, names[:CATEGORIES]))
    return f"{len(names):,}: {first}{', ...' if len(names) > CATEGORIES else ''}"


def check(path: str, overrides: Sequence[str] = (), *, as_json: bool = False) -> int:
    """Prints the summary of a recording, once it is mended if that is asked for; 1 where something is damaged."""
    console, settings = Terminal(), read(RepairSettings, list(overrides))
    done, sound = repair(path, settings, console=console) if settings.repair else ([], True)
    if not as_json:
        for line in dict.fromkeys(done):
            console.print(line, soft_wrap=True)
    summary = examine(path, console=None if as_json else console) | ({"repaired": done} if settings.repair else {})
    if as_json:
        print(json.dumps(summary, indent=2))  # noqa: T201
        return int(bool(summary["damaged"]) or not sound)
    console.print(table(summary))
    for line in (*dict.fromkeys(summary["damaged"]), *_notes(summary)):  # damage to a whole file once
        console.print(line, soft_wrap=True)
    return int(bool(summary["damaged"]) or not sound)


def _notes(summary: dict[str, Any]) -> list[str]:
    """What a user should know besides."""
    notes = []
    if summary["damaged"]:
        sound = f"{summary['sound_steps']:,} of {summary['steps']:,} steps"
        mend = f"python -m streams.check {shlex.quote(summary['path'])} repair=true"
        notes.append(f"the first {sound} are sound; {mend} mends what can be made again")
    if summary["masked"]:
        notes.append(f"{len(summary['masked'])} parts were damaged once and are masked: black frames, paired with none")
    if not summary["sealed"]:
        notes.append("it is of format 1, whose files do not say where they belong: exchanged ones would not be noticed")
    return notes


def main() -> None:
    """Runs the command on the process's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m streams.check",
        description="Whether a recording is sound; repair=true mends it.",
        epilog=f"settings:\n{help_text(RepairSettings)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", help="a recording: a folder, or any fsspec URL")
    parser.add_argument("settings", nargs="*", help="name=value, see below")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    args = parser.parse_args()
    arguments = args.path, args.settings
    raise SystemExit(guarded(check, *arguments, as_json=args.json, place="path", stopped="what was mended stays so"))


if __name__ == "__main__":
    main()
