"""One self-contained page about a run, or about several: python -m runs.report RUN ... [--out PAGE.html]

It opens from disk without a network. What was not measured is left out.
"""

import argparse
import shlex
from pathlib import Path

from runs.analysis.reading import find
from runs.page.page import load_all, page
from runs.store.mirror import URL, Mirror
from streams.process.errors import guarded
from streams.process.terminal import say, visible
from streams.recording.storage import replace


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m runs.report", description="One self-contained page about runs.")
    parser.add_argument("places", nargs="+", help="runs, folders of runs, or patterns, also at URLs as s3://")
    parser.add_argument(
        "--out",
        type=Path,
        help="the page (default: report.html in the run's folder, or beside them; of URLs, here)",
    )
    args = parser.parse_args()
    print(guarded(_written, args.places, place="--out", stopped="nothing was kept", out=args.out))  # noqa: T201


def _beside(paths: list[Path], *, remote: bool) -> Path:
    """The folder in which the page of runs lies, where nothing else is said."""
    if remote:
        return Path()
    return paths[0] if len(paths) == 1 else paths[0].parent


def _written(places: list[str], *, out: Path | None) -> str:
    """Writes the page of these places, and says where."""
    with Mirror(pictures=True) as mirror:
        paths = find(mirror.local(places))
        out = out or _beside(paths, remote=URL in places[0]) / "report.html"
        text, notes = page(load_all(paths), made_by=shlex.join(["python", "-m", "runs.report", *places]))
        out.parent.mkdir(parents=True, exist_ok=True)
        replace(out, mirror.shown(text).encode())
        say(map(mirror.shown, notes))
    return visible(out)


if __name__ == "__main__":
    main()
