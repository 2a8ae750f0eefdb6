"""Files of a folder that is not trusted: bounded in size, and never outside of it."""

import re
from pathlib import Path
from urllib.parse import unquote

from envs.command.text import printable
from envs.errors import SettingError

MIB = 1 << 20
ELSEWHERE = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*:|/|~)")  # a URL, a drive or an absolute path


class Beside:
    """What a mesh file names, as trimesh asks for it: other files of the folder that the user has given.

    Args:
        file: the mesh file.
        root: the folder given, out of which nothing is read, whatever the names say.
        limit: bytes of a file, at most.
    """

    def __init__(self, file: Path, root: Path, *, limit: int):
        self.file_name, self._file, self._root, self._limit = file.name, file, root, limit
        self.read: dict[str, bytes] = {}  # names that were asked for, and found
        self.missing: dict[str, str] = {}  # names that were asked for, and why they are not there

    def get(self, name: str) -> bytes:
        """The bytes of a file by its name in another. Raises FileNotFoundError, as trimesh expects."""
        path, reason = self.find(name)
        if path is None:
            self.missing[name] = reason
            raise FileNotFoundError(name)
        try:
            self.read[name] = read_bounded(path, limit=self._limit)
        except SettingError as error:
            raise SettingError(f"names {printable(path.name)}, which {error}") from None
        return self.read[name]

    __getitem__ = get

    def namespaced(self, namespace: str) -> "Beside":
        """This same resolver: names are all from the file on."""
        return self

    def find(self, name: str) -> tuple[Path | None, str]:
        """Where a file lies that another names, or why it can't be had."""
        plain = name.strip().replace("\\", "/")
        outside = False
        for text in (plain, unquote(plain), plain.split(" ")[-1], plain.rpartition("/")[2]):
            if not text or "\0" in text:
                continue
            path = self._file.parent / text
            if ELSEWHERE.match(text) or not self._inside(path):
                outside = True
            elif path.is_file():
                return path, ""
        return None, "is outside of the folder, and is not read" if outside else "is not there"

    def _inside(self, path: Path) -> bool:
        """Whether a path stays in the folder given, links followed; a linked category's own folder counts too."""
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in (self._root, self._file.parent))


def read_bounded(path: Path, *, limit: int) -> bytes:
    """The bytes of a file.

    Raises SettingError, whose message goes on after the file's name: larger than the limit (bytes), or not readable.
    """
    try:
        size = path.stat().st_size
        if size <= limit:
            with path.open("rb") as file:
                data = file.read(limit + 1)  # it may grow meanwhile
            if len(data) <= limit:
                return data
        raise SettingError(f"is of {size / MIB:.3g} MB, over env.max_mb={limit / MIB:.3g}; set that higher")
    except OSError as error:
        raise SettingError(f"can't be read ({error.strerror}); mend it") from None
