"""Watches runs while they run: python -m runs.watch results/NAME [more ...] [--port 8000]

Serves the report on this machine's loopback address alone, makes it anew when there are new numbers, and has the
browser show them. Ctrl-C ends it; runs are only read.
"""

import argparse
import shlex
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from envs.errors import SettingError
from runs.analysis.reading import METRICS, find
from runs.page.page import load_all, page
from streams.process.errors import guarded
from streams.process.terminal import say, visible

LOOPBACK = "127.0.0.1"
EVERY_S = 5  # between two questions of the browser whether there is something new
RELOAD = f"""<script>
let seen = null;
setInterval(async () => {{
  const version = await (await fetch("/version")).text();
  if (seen !== null && version !== seen) location.reload();
  seen = version;
}}, {1000 * EVERY_S});
</script>"""
WAITING = "<!doctype html><title>waiting</title><p>No numbers yet; this page reloads itself.</p>"


class Watched:
    """The report of runs, made anew when their numbers have changed."""

    def __init__(self, places: list[str]):
        self.places, self._lock = places, Lock()
        self._shown, self._text = "", ""

    def version(self) -> str:
        """What changes whenever a run has written numbers."""
        marks = [path / METRICS / "zarr.json" for path in self._paths()]
        return " ".join(f"{mark.parent.parent}@{mark.stat().st_mtime_ns}" for mark in marks if mark.exists())

    def text(self) -> str:
        """The page, as HTML."""
        with self._lock:
            version = self.version()
            if version != self._shown or not self._text:
                made_by = shlex.join(["python", "-m", "runs.report", *self.places])
                paths = self._paths()
                self._text = page(load_all(paths), made_by=made_by).text if version else WAITING
                self._shown = version
            return self._text.replace("</body>", f"{RELOAD}</body>") if "</body>" in self._text else self._text + RELOAD

    def _paths(self) -> list[Path]:
        try:
            return find(self.places)
        except SettingError:
            return []


class Handler(BaseHTTPRequestHandler):
    """Answers with the page, or with its version."""

    def __init__(self, *arguments, watched: Watched):
        self.watched = watched
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """`/` is the page, `/version` what changes with its numbers."""
        answers = {"/": (self.watched.text, "text/html"), "/version": (self.watched.version, "text/plain")}
        if self.path not in answers:
            self.send_error(404)
            return
        make, kind = answers[self.path]
        try:
            body = make().encode()
        except (SettingError, OSError) as error:  # a run that writes just now; the next question finds it whole
            body, kind = f"{error}".encode(), "text/plain"
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments) -> None:
        """Says nothing: a line for each request would hide the address."""


def server(places: list[str], *, port: int) -> ThreadingHTTPServer:
    """A server of the report on the loopback address; port 0 takes a free one.

    Raises SettingError: nothing is at these places, or the port is taken.
    """
    for place in places:
        if not any(character in place for character in "*?[") and not Path(place).is_dir():
            raise SettingError(f"{place} isn't there; give the folder of a run, or one that has some")
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(Handler, watched=Watched(places)))
    except (OSError, OverflowError) as error:
        raise SettingError(f"--port {port} cannot be used ({error}); choose another, or leave it out") from error


def _watch(places: list[str], port: int) -> None:
    with server(places, port=port) as serving:
        print(f"http://{LOOPBACK}:{serving.server_address[1]}  shows {visible(', '.join(places))}; Ctrl-C ends it")  # noqa: T201
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            say(["no longer watched"])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m runs.watch", description="The report of runs while they run.")
    parser.add_argument("places", nargs="+", help="runs, folders of runs, or patterns")
    parser.add_argument("--port", type=int, default=0, help="of the loopback address; by default a free one")
    args = parser.parse_args()
    guarded(_watch, args.places, args.port, place="the folder", stopped="nothing was kept")


if __name__ == "__main__":
    main()
