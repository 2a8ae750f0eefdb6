"""The lock of a recording, or of a run: who holds it is the only writer."""

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

from envs.errors import SettingError

PATIENCE = 5  # tries for a lock, 20 ms apart: `is_locked` holds it for a moment


class Lock(ExitStack):
    """What makes this process the only writer, until it is closed or, of a folder on this machine, forgotten."""

    __del__ = ExitStack.close


def lock_folder(path: Path, *, way_out: str = "wait for it, or choose another path", file: str = "") -> Lock:
    """Locks a folder of this machine, or a file in it; the system releases the lock however the process ends.

    Raises SettingError: another process holds it.
    """
    for _ in range(PATIENCE):
        if lock := _flock(path / file, fcntl.LOCK_EX):
            return lock
        sleep(0.02)
    raise SettingError(f"{path} is being written by another process; {way_out}")


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock of a folder or file of this machine."""
    if lock := _flock(path, fcntl.LOCK_SH):
        lock.close()
    return lock is None


def _flock(path: Path, kind: int) -> Lock | None:
    with Lock() as lock:
        handle = os.open(path, os.O_RDONLY)
        lock.callback(os.close, handle)
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return lock.pop_all()


def lock_object(fs: Any, key: str) -> ExitStack:
    """Locks by an object of this key in an fsspec file system. Raises FileExistsError: it is there already.

    A killed writer leaves its lock, which the user must remove. Where a store can't write only what is not there yet
    (S3 can), two writers that begin in one moment both pass.
    """
    if fs.exists(key):  # a store that knows no `create` is asked first, and has to be enough
        raise FileExistsError
    fs.pipe_file(key, f"{os.uname().nodename} {os.getpid()}\n".encode(), mode="create")
    lock = ExitStack()
    lock.callback(lambda: fs.rm_file(key) if fs.exists(key) else None)
    return lock
