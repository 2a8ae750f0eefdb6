"""Runs that were copied to a bucket are read there: what is shown of them is fetched into a temporary folder."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import has_magic
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from envs.errors import SettingError
from runs.store.folder import CHECKSUMS, CONFIG, OVERRIDES, VERSIONS
from streams.recording.storage import RemoteFolder

URL, CHAIN = "://", "::"
METRICS, CHECKPOINTS = "metrics.zarr", "checkpoints"
TEXTS = (CONFIG, OVERRIDES, VERSIONS, CHECKSUMS)
PICTURES = ("samples", "seen")  # groups of the metrics that hold them


class Mirror:
    """Copies of runs at fsspec URLs, for as long as the context lasts; what is here already is read where it is.

    With `pictures`, the pictures and the newest checkpoint of a run are copied too. An error within the context names
    the URLs.
    """

    def __init__(self, *, pictures: bool = False):
        self._pictures = pictures
        self._urls: dict[str, str] = {}  # of the folders here

    def __enter__(self) -> "Mirror":
        self._temporary = TemporaryDirectory(prefix="runs")
        self._root = Path(self._temporary.name)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._temporary.cleanup()
        if isinstance(error, SettingError) and self._urls:
            raise SettingError(self.shown(str(error))) from error

    def local(self, places: Iterable[str]) -> list[str]:
        """The same places, of which those at URLs are folders here.

        Raises SettingError: a URL that this installation has no package for. OSError: what lies there can't be read.
        """
        return [path for place in places for path in (self._fetched(place) if URL in place else [place])]

    def shown(self, text: str) -> str:
        """A text in which the folders here are called by their URLs."""
        for path, url in self._urls.items():
            text = text.replace(path, url)
        return text

    def _fetched(self, url: str) -> list[str]:
        if CHAIN in url:
            raise SettingError(f"{url} is read by one protocol within another; give the URL of a folder")
        try:
            fs = RemoteFolder(url).fs
        except SettingError as error:
            raise SettingError(f"{url} {error}") from None
        with _reading(url):
            if not has_magic(url):
                return [self._copied(fs, fs._strip_protocol(url), url.rstrip("/"))]
            return [self._copied(fs, path, fs.unstrip_protocol(path)) for path in sorted(fs.glob(url))]

    def _copied(self, fs: Any, root: str, url: str) -> str:
        here = self._root / str(len(self._urls)) / PurePosixPath(url).name
        here.mkdir(parents=True)
        self._urls[str(here)] = url
        start = len(root.rstrip("/")) + 1
        names = self._wanted([path[start:] for path in fs.find(root)])
        if names:
            fs.get([f"{root.rstrip('/')}/{name}" for name in names], [str(here / name) for name in names])
        return str(here)

    def _wanted(self, names: list[str]) -> list[str]:
        """Of the files below a folder those that are shown, and none that a name leads out of it."""
        inside = [name for name in names if not {"", ".", ".."} & set(name.split("/")) and "\0" not in name]
        wanted, newest = [], dict[str, str]()
        for name in inside:
            folder, found, rest = f"/{name}".rpartition(f"/{METRICS}/")
            if found:
                wanted += [name] if self._pictures or rest.partition("/")[0] not in PICTURES else []
            elif f"/{name}".endswith(tuple(f"/{text}" for text in TEXTS)):
                wanted.append(name)
            elif self._pictures and PurePosixPath(name).parent.name == CHECKPOINTS and name.endswith(".pt"):
                folder = str(PurePosixPath(name).parent)
                newest[folder] = max(name, newest.get(folder, ""))
        return [*wanted, *newest.values()]


@contextmanager
def _reading(url: str) -> Iterator[None]:
    """Makes an OSError that names the URL of whatever a protocol's library raises."""
    try:
        yield
    except Exception as error:
        raise OSError(errno.EIO, str(error), url) from error
