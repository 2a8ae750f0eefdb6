"""One run as a table or as JSON: python -m runs.show results/NAME [--json]"""

import argparse
import json
import shlex
from pathlib import Path

from envs.command.text import counted
from envs.errors import SettingError
from runs.analysis.reading import load_numbers, within
from runs.analysis.summary import summary_table, summed, unfinished
from runs.store.mirror import Mirror
from streams.process.errors import guarded
from streams.process.terminal import Terminal, say


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m runs.show", description="One run as a table or as JSON.")
    parser.add_argument("run", help="the run's folder, results/NAME, or its URL")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    args = parser.parse_args()
    guarded(_show, args.run, as_json=args.json, place="the folder", stopped="nothing was kept")


def _show(place: str, *, as_json: bool) -> None:
    with Mirror() as mirror:
        (path,) = mirror.local([place]) or [place]
        runs = within(Path(path))
        if runs and runs != [Path(path)]:
            ways = f"give one of them, or set them beside one another: python -m runs.compare {shlex.quote(place)}"
            raise SettingError(f"{place} is a folder of {counted(len(runs), 'run')}; {ways}")
        run = load_numbers(Path(path))
        if as_json:
            print(json.dumps(summed(run), indent=2, allow_nan=False))  # noqa: T201
        else:
            Terminal().print(summary_table(run))
            if line := unfinished(run):
                stays = mirror.shown(line) == line  # else it is only seen here, and goes on elsewhere
                Terminal().print(line if stays else line.partition(";")[0], soft_wrap=True)
        say(map(mirror.shown, run.notes))


if __name__ == "__main__":
    main()
