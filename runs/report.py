"""One self-contained page about a run, or about several: python -m runs.report RUN ... [--out PAGE.html]

It opens from disk without a network. What was not measured is left out.
"""

import argparse
import shlex
from pathlib import Path

from runs.analysis.reading import find, load
from runs.page.page import page
from streams.process.errors import guarded
from streams.process.terminal import say, visible
from streams.recording.storage import replace


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m runs.report", description="One self-contained page about runs.")
    parser.add_argument("places", nargs="+", help="runs, folders of runs, or patterns")
    parser.add_argument(
        "--out", type=Path, help="the page (default: report.html in the run's folder, or beside the runs)"
    )
    args = parser.parse_args()
    print(guarded(_written, args.places, place="--out", stopped="nothing was kept", out=args.out))  # noqa: T201


def _written(places: list[str], *, out: Path | None) -> str:
    """Writes the page of these places, and says where."""
    paths = find(places)
    out = out or (paths[0] if len(paths) == 1 else paths[0].parent) / "report.html"
    text, notes = page([load(path) for path in paths], made_by=shlex.join(["python", "-m", "runs.report", *places]))
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(out, text.encode())
    say(notes)
    return visible(out)


if __name__ == "__main__":
    main()
