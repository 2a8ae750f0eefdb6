"""Arrays of a metrics.zarr, which plain Zarr lays out, read without believing what they say of themselves.

A checksum (CRC-32C) is over where the array belongs and its rows, so that rows that are appended extend it.
"""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard
from google_crc32c import extend, value

from runs.store.files import DamagedFileError, read_bytes, read_json

LIMIT = 1 << 28  # bytes of one chunk, and of rows that no file holds
TYPES = ("uint8", "int32", "int64", "float16", "float32", "float64")
FEW = 4  # chunks
DOCUMENT = "zarr.json"


class Document(NamedTuple):
    """What an array says of itself."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype
    fill: float
    dimensions: list[str]

    @property
    def grows(self) -> bool:
        """Whether its first axis is `frames`."""
        return self.dimensions[:1] == ["frames"]


def read_document(folder: Path) -> Document:
    """What the array in a folder says of itself. Raises DamagedFileError: nothing that we write."""
    path = folder / DOCUMENT
    values = read_json(path)
    try:
        document = Document(
            shape=tuple(values["shape"]),
            chunk=tuple(values["chunk_grid"]["configuration"]["chunk_shape"]),
            dtype=np.dtype(TYPES[TYPES.index(values["data_type"])]),
            fill=float(values["fill_value"]),
            dimensions=list(values.get("dimension_names") or ()),
        )
        kinds = values["zarr_format"], values["node_type"], values["chunk_grid"]["name"]
        separator = values["chunk_key_encoding"]["configuration"]["separator"]
        codecs = [codec["name"] for codec in values["codecs"]]
        endian = values["codecs"][0].get("configuration", {}).get("endian", "little")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DamagedFileError(path, f"{type(error).__name__}: {error}") from error
    numbers = (*document.shape, *document.chunk)
    sizes = all(isinstance(number, int) for number in numbers) and min(numbers, default=-1) >= 0
    if not sizes or len(document.shape) != len(document.chunk) or 0 in document.chunk:
        raise DamagedFileError(path, f"it has chunks of shape {document.chunk} in an array of {document.shape}")
    if (kinds, separator, codecs, endian) != ((3, "array", "regular"), "/", ["bytes", "zstd"], "little"):
        raise DamagedFileError(path, "it is no array of the kind that runs have")
    return document


def read_array(folder: Path, document: Document, *, rows: int | None = None) -> np.ndarray:
    """The array in a folder, or its first `rows`; what is not stored is the fill value, as in Zarr.

    Raises DamagedFileError: it cannot be read, or claims more than what lies there can hold.
    """
    shape = document.shape if rows is None else (rows, *document.shape[1:])
    chunk_bytes, chunks = math.prod(document.chunk) * document.dtype.itemsize, dict(_chunks(folder, document, shape))
    claimed = math.prod(shape) * document.dtype.itemsize
    if chunk_bytes > LIMIT or claimed > max(LIMIT, len(chunks) * chunk_bytes):
        raise DamagedFileError(folder / DOCUMENT, f"it claims {max(claimed, chunk_bytes):,} bytes")
    array = np.full(shape, document.fill, document.dtype)
    for index, path in chunks.items():
        values = np.frombuffer(_decoded(path, chunk_bytes), document.dtype).reshape(document.chunk)
        ends = [min(of, whole) for of, whole in zip(shape, document.shape, strict=True)]
        places = [slice(i * n, min((i + 1) * n, end)) for i, n, end in zip(index, document.chunk, ends, strict=True)]
        array[tuple(places)] = values[tuple(slice(place.stop - place.start) for place in places)]
    return array


def _chunks(folder: Path, document: Document, shape: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Path]]:
    """The chunks that are there, by their index, of those that a shape reaches."""
    grid = [-(-min(of, whole) // n) for of, whole, n in zip(shape, document.shape, document.chunk, strict=True)]
    if math.prod(grid) <= FEW:  # as in most series, so that no folder need be listed
        paths = {index: folder.joinpath("c", *map(str, index)) for index in product(*map(range, grid))}
        yield from ((index, path) for index, path in paths.items() if path.exists())
        return
    for path in (folder / "c").glob("/".join("*" * len(grid))):
        names = path.parts[-len(grid) :]
        if all(name.isdecimal() and name == str(int(name)) for name in names):
            index = tuple(map(int, names))
            if all(i < n for i, n in zip(index, grid, strict=True)):
                yield index, path


def _decoded(path: Path, size: int) -> bytes:
    """The bytes of a chunk. Raises DamagedFileError: no Zstandard frame of so many."""
    data = read_bytes(path, limit=2 * size + 1024)
    try:
        if zstandard.frame_content_size(data) != size:
            raise DamagedFileError(path, f"it does not hold {size:,} bytes")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise DamagedFileError(path, str(error)) from error


def checksum(place: Sequence[str], *, dtype: np.dtype, shape: Sequence[int], dimensions: Sequence[str]) -> int:
    """The checksum of an array (.., *shape) without rows: of where it belongs and of what kind it is."""
    return value(json.dumps([*place, str(dtype), list(shape), list(dimensions)]).encode())


def extended(checksum: int, rows: np.ndarray) -> int:
    """The checksum once rows (n, ...) are appended."""
    if rows.dtype.kind == "f":
        rows = np.where(np.isnan(rows), np.array(np.nan, rows.dtype), rows)  # of all that stand for nan, one
    return extend(checksum, np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).tobytes())
