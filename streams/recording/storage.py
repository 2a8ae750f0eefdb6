"""The folder of a recording, here or at any fsspec URL: files are written whole or not at all, links are refused."""

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from envs.errors import SettingError
from streams.recording.lock import Lock, is_locked, lock_folder, lock_object


def open_folder(path: str, *, setting: str = "path") -> "Folder":
    """The folder at a local path or URL, which the error messages call `setting`.

    Raises SettingError: a file, or a URL of a kind that this installation cannot reach.
    """
    try:
        return RemoteFolder(path) if "://" in path else LocalFolder(path)
    except SettingError as error:
        raise SettingError(f"{setting}={path} {error}") from None


def read(folder: "Folder", key: str) -> bytes:
    """A whole file."""
    with folder.open(key) as file:
        return file.read()


class LocalFolder:
    """Files by keys such as `images/c/0/0/0/0/0`, in a folder on this machine, which is locked itself."""

    def __init__(self, path: str):
        self.path = Path(path).expanduser()
        self._root = os.path.realpath(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise SettingError("is a file, and a recording is a folder; choose another path")

    def open(self, key: str) -> BinaryIO:
        """Opens one version of a file, even if it is replaced meanwhile. Raises FileNotFoundError, also for a pipe."""
        path = f"{self._root}/{key}"
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that lies there is not waited for
        try:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise FileNotFoundError(errno.ENOENT, "is no file", path)
            if _place(number) != path:  # a link, or replaced since: its path can tell
                self._inside(key)
        except (OSError, SettingError):
            os.close(number)
            raise
        return os.fdopen(number, "rb")

    def put(self, key: str, data: bytes) -> None:
        """Puts data there for good: a reader finds the old or the new, never a part, even after a power cut."""
        path = self._inside(key)
        _make(path.parent)
        replace(path, data)

    def names(self, key: str) -> list[str]:
        """What lies in a folder; nothing where there is none."""
        path = self._inside(key)
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def remove(self, key: str) -> None:
        """Removes a file."""
        self._inside(key).unlink()

    def lock(self) -> Lock:
        """Makes this process the only writer. Raises SettingError where another one is."""
        _make(self.path)
        return lock_folder(self.path)

    @property
    def being_written(self) -> bool:
        """Whether some process holds the lock."""
        return self.path.is_dir() and is_locked(self.path)

    def _inside(self, key: str) -> Path:
        """The path of a key, which no link may lead elsewhere."""
        path = f"{self._root}/{key}".rstrip("/")
        if os.path.realpath(path) != path:
            raise SettingError(f"{self.path}/{key} is a link or leads out of the folder, and is not followed")
        return Path(path)


def _place(number: int) -> str:
    """The path of an open file, if the system gives it: one call, and not one for every folder above it."""
    try:
        return str(Path(f"/proc/self/fd/{number}").readlink())
    except OSError:
        return ""


class RemoteFolder:
    """The same at an fsspec URL, where a put is atomic as on S3. The lock is an object beside it."""

    def __init__(self, url: str):
        from fsspec.core import url_to_fs

        try:
            self.fs, self.root = url_to_fs(url.rstrip("/"), use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise SettingError(f"can't be reached ({error}); install what its protocol needs") from None
        self.path = url.rstrip("/")

    def open(self, key: str) -> BinaryIO:
        """One version of a file. Raises FileNotFoundError."""
        with self._answering():
            return io.BytesIO(self.fs.cat_file(f"{self.root}/{key}"))

    def put(self, key: str, data: bytes) -> None:
        """Writes a file whole, for good."""
        with self._answering():
            self.fs.pipe_file(f"{self.root}/{key}", data)

    def names(self, key: str) -> list[str]:
        """What lies in a folder; nothing where there is none."""
        try:
            with self._answering():
                paths = self.fs.ls(f"{self.root}/{key}".rstrip("/"), detail=False)
        except FileNotFoundError:
            return []
        return sorted(name.rstrip("/").rpartition("/")[2] for name in paths)

    def remove(self, key: str) -> None:
        """Removes a file."""
        with self._answering():
            self.fs.rm_file(f"{self.root}/{key}")

    def lock(self) -> ExitStack:
        """Makes this process the only writer. Raises SettingError where another one is."""
        try:
            with self._answering():
                return lock_object(self.fs, f"{self.root}.lock")
        except FileExistsError:
            raise SettingError(
                f"{self.path} is being written by another process; if none does, remove {self.path}.lock"
            ) from None

    @property
    def being_written(self) -> bool:
        """Whether some process holds the lock."""
        with self._answering():
            return self.fs.exists(f"{self.root}.lock")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Makes an OSError that names this folder of whatever else a protocol's library raises: each has its own."""
        try:
            yield
        except (FileNotFoundError, FileExistsError) as answer:
            answer.filename = answer.filename or self.path
            raise
        except Exception as error:
            raise OSError(errno.EIO, str(error), self.path) from error


Folder = LocalFolder | RemoteFolder


def replace(path: Path, data: bytes) -> None:
    """Puts data where path is, so that a reader finds the old or the new, never a part, even after a power cut.

    Raises OSError: no room, or no permission; what was there is untouched and no temporary file is left.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:  # never through a link that lay there
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error  # a write does not say which
    sync(path.parent)


def sync(folder: Path) -> None:
    """Flushes the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    """Makes a folder and those above it, and flushes them to the disk."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
