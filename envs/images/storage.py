"""Where pictures are put: in memory, or in a file that is mapped where they do not fit there."""

import math
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from envs.errors import SettingError
from envs.images.folders import cache_folder

BLOCK_BYTES = 1 << 26  # that are read at once


@dataclass(frozen=True)
class Storage:
    """Makes arrays of pictures."""

    memory_mb: float = math.inf  # those that take more, in 2^20 bytes, lie on disk

    def in_memory(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of uint8 of this shape fits."""
        return math.prod(shape) <= self.memory_mb * 2**20

    def empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array of uint8: in memory, or in a file that has no name and so leaves nothing behind.

        Raises SettingError: the disk cannot hold it.
        """
        if self.in_memory(shape):
            return np.empty(shape, np.uint8)
        folder = cache_folder("pictures")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder) as file:
                return np.memmap(file, np.uint8, "w+", shape=shape)
        except OSError as error:
            raise SettingError(
                f"takes {math.prod(shape) / 2**20:,.0f} MB, for which {folder} has no room ({error.strerror}); set "
                "XDG_CACHE_HOME to another folder, or a larger env.memory_mb"
            ) from None

    def copy(self, array: Any) -> np.ndarray:
        """All of an array of Zarr or HDF5; bytes are read block by block."""
        if array.dtype != np.uint8:
            return array[:]
        whole = self.empty(array.shape)
        step = max(1, BLOCK_BYTES * len(whole) // max(whole.nbytes, 1))
        for first in range(0, len(whole), step):
            whole[first : first + step] = array[first : first + step]
        return whole
