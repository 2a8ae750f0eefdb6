"""A folder that tests harm, and put back as it was without copying what was not touched."""

import os
from pathlib import Path


class Pristine:
    """A copy of a folder at `place`, of which `restore` writes anew only what has changed since."""

    def __init__(self, folder: Path, place: Path):
        self.place = place
        self._files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def restore(self) -> Path:
        """The folder as it was. Files that are as they were are known by their time of writing, which is 0."""
        there = {path.relative_to(self.place): path.lstat() for path in self.place.rglob("*") if not path.is_dir()}
        for name in there.keys() - self._files.keys():
            (self.place / name).unlink()
        for name, content in self._files.items():
            if name not in there or there[name].st_mtime_ns or there[name].st_size != len(content):
                path = self.place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                path.write_bytes(content)
                os.utime(path, ns=(0, 0))
        return self.place
