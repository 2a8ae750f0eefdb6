"""How arrays of frames lie on disk: Zarr v3 shards of zstd chunks, each with its CRC-32C.

Any Zarr reader opens them. They are written and read by hand here because zarr-python returns black for a missing
chunk, runs whatever codec the metadata names, and takes six times as long as zstd for a shard of 1,024 frames.
"""

import math
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

from envs.errors import SettingError
from streams.recording.checksum import CRC, Damaged, with_crc, without_crc

LEVEL = -1  # of zstd: rendered frames are as small as at 1, and are unpacked a sixth faster
CHUNK_STEPS, SHARD_FRAMES, CHUNK_BYTES = 16, 1024, 48 * 1024
TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
LARGEST = 1 << 31  # bytes of a shard's worth of frames
ABSENT = np.uint64(2**64 - 1)
ENTRY = 16  # bytes


class Layout(NamedTuple):
    """How one array (T, N, ...) lies on disk."""

    name: str  # images, episode, factors/category, ...
    kind: str  # of the numbers: one of TYPES
    shard: tuple[int, ...]  # (steps, N, ...) that a file holds
    chunk: tuple[int, ...]  # (steps, worlds, ...) that are compressed together

    @property
    def grid(self) -> tuple[int, int]:
        """Number of a shard's chunks along time and along worlds."""
        return self.shard[0] // self.chunk[0], self.shard[1] // self.chunk[1]

    def key(self, number: int) -> str:
        """The file of a shard."""
        return "/".join([self.name, "c", str(number), *("0" for _ in self.shard[1:])])


def layouts(rows: dict[str, tuple[str, tuple[int, ...]]]) -> dict[str, Layout]:
    """The layouts of arrays, by types and shapes of one step (N, ...); `images` is (N, H, W, 3).

    A chunk of images is 16 steps of one world, or of several small ones; a shard holds all worlds for at least 16 steps
    and about 1,024 frames. Raises SettingError: those would be too many bytes for anyone to read.
    """
    worlds, frame = rows["images"][1][0], int(np.prod(rows["images"][1][1:]))
    steps = CHUNK_STEPS * max(1, round(SHARD_FRAMES / (CHUNK_STEPS * worlds)))
    if steps * worlds * frame > LARGEST:
        height, width, channels = rows["images"][1][1:]
        raise SettingError(
            f"{steps * worlds:,} frames of {width}x{height} are too many bytes for one file of a recording of "
            f"{worlds} worlds; try size={math.isqrt(LARGEST // (steps * worlds * channels))}"
        )
    enough = -(-CHUNK_BYTES // (CHUNK_STEPS * frame))  # worlds
    side = max(width for width in range(1, worlds + 1) if worlds % width == 0 and width <= max(enough, 1))
    return {
        name: Layout(name, kind, (steps, *row), (CHUNK_STEPS, side, *row[1:]) if name == "images" else (steps, *row))
        for name, (kind, row) in rows.items()
    }


def document(layout: Layout, steps: int) -> dict[str, Any]:
    """The array's zarr.json at a length of `steps`."""
    wide = {"configuration": {"endian": "little"}}
    number = {"name": "bytes"} | ({} if layout.kind in ("bool", "int8", "uint8") else wide)
    codecs = [number, {"name": "zstd", "configuration": {"level": LEVEL, "checksum": False}}, {"name": "crc32c"}]
    own = layout.name.rpartition("/")[2]
    axes = [f"{own}_{axis}" for axis in range(len(layout.shard) - 2)] if own != "images" else ["y", "x", "channel"]
    sharding = {
        "chunk_shape": list(layout.chunk),
        "codecs": codecs,
        "index_codecs": [{"name": "bytes", **wide}, {"name": "crc32c"}],
        "index_location": "end",
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [steps, *layout.shard[1:]],
        "data_type": layout.kind,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(layout.shard)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": False if layout.kind == "bool" else 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": {},
        "dimension_names": ["time", "world", *axes],
        "storage_transformers": [],
    }


def layout_of(name: str, metadata: dict[str, Any]) -> tuple[Layout, int]:
    """The layout and length that an array's zarr.json describes, which must be as `document` would have written it.

    Raises ValueError: it is not; the message is what is wrong with it.
    """
    try:
        shard = tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"])
        chunk = tuple(metadata["codecs"][0]["configuration"]["chunk_shape"])
        layout, steps = Layout(name, metadata["data_type"], shard, chunk), metadata["shape"][0]
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ValueError("is no array of chunks in shards") from None
    if layout.kind not in TYPES:
        raise ValueError(f"has numbers of type {layout.kind}; known are {', '.join(TYPES)}")
    sizes = (*shard, *chunk, steps + 1) if type(steps) is int else (0,)
    if not all(type(size) is int and size > 0 for size in sizes) or len(shard) != len(chunk) or len(shard) < 2:
        raise ValueError(f"has shards of shape {shard} and chunks of shape {chunk}")
    if any(whole % part for whole, part in zip(shard, chunk, strict=True)) or shard[2:] != chunk[2:]:
        raise ValueError(f"has chunks of shape {chunk}, which do not make up shards of shape {shard}")
    if np.prod(shard, dtype=float) * np.dtype(layout.kind).itemsize > LARGEST:
        raise ValueError(f"has shards of shape {shard}, more than {LARGEST >> 20} MiB")
    expected = document(layout, steps)
    for key in expected.keys() - {"attributes", "dimension_names"}:
        if _plain(metadata.get(key, [])) != _plain(expected[key]):
            raise ValueError(f"has {key} {metadata.get(key)}, and only {expected[key]} is read")
    return layout, steps


def encode(layout: Layout, steps: np.ndarray) -> bytes:
    """A shard file of steps (S, N, ...), S at most the shard's; the last chunk is filled up with zeros."""
    times, sides = layout.grid
    compressor = ZstdCompressor(level=LEVEL)
    index = np.full((times * sides, 2), ABSENT, np.uint64)
    short = -len(steps) % layout.chunk[0]
    steps = np.concatenate([steps, np.zeros((short, *steps.shape[1:]), steps.dtype)]) if short else steps
    parts, place = [], 0
    for number in range(len(steps) // layout.chunk[0] * sides):
        time, side = divmod(number, sides)
        cut = np.ascontiguousarray(steps[_slice(time, layout.chunk[0]), _slice(side, layout.chunk[1])])
        packed = with_crc(compressor.compress(cut.reshape(-1).view(np.uint8).data))
        index[number] = place, len(packed)
        parts.append(packed)
        place += len(packed)
    return b"".join([*parts, with_crc(index.astype("<u8").tobytes())])


def decode(layout: Layout, file: BinaryIO, numbers: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Chunks of a shard file by their numbers, each with its own: read-only, of shape `layout.chunk`.

    Raises Damaged: with the number of the chunk, as soon as one is not what was written.
    """
    decompressor = ZstdDecompressor()  # of this call alone, since threads can't share one
    size = math.prod(layout.chunk) * np.dtype(layout.kind).itemsize
    for number, packed in _packed(layout, file, numbers):
        data = without_crc(packed, f"chunk {number}").data
        try:
            if frame_content_size(data) != size:  # no more is decompressed than it should hold
                raise Damaged(f"chunk {number} does not hold {size:,} bytes")
            chunk = decompressor.decompress(data, allow_extra_data=False)
        except ZstdError as error:
            raise Damaged(f"chunk {number} does not decompress ({error})") from None
        yield number, np.frombuffer(chunk, layout.kind).reshape(layout.chunk)


def decode_steps(layout: Layout, file: BinaryIO, first: int, out: np.ndarray) -> None:
    """Puts a shard file's steps from the first on into `out` (s, N, ...).

    Raises Damaged: with the number of the chunk, as soon as one is not what was written.
    """
    long, past, sides = layout.chunk[0], first + len(out), layout.grid[1]
    numbers = np.arange(first // long * sides, -(-past // long) * sides)
    for number, chunk in decode(layout, file, numbers):
        time, side = divmod(number, sides)
        begin, end = max(first, time * long), min(past, (time + 1) * long)
        out[begin - first : end - first, _slice(side, layout.chunk[1])] = chunk[begin - time * long : end - time * long]


def _packed(layout: Layout, file: BinaryIO, numbers: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Chunks by their numbers as they lie in a shard file: compressed, with their checksum."""
    size, chunks = file.seek(0, 2), int(np.prod(layout.grid))
    start = size - chunks * ENTRY - CRC
    if start < 0:
        raise Damaged("the file is cut short")
    file.seek(start)
    index = without_crc(np.frombuffer(file.read(), np.uint8), "the index").view("<u8").reshape(chunks, 2)
    places, lengths = index[numbers, 0], index[numbers, 1]
    if (places == ABSENT).any():
        raise Damaged(f"chunk {numbers[int((places == ABSENT).argmax())]} is missing")
    wrong = (places + lengths > start) | (lengths > start) | (lengths <= CRC)
    if wrong.any():
        raise Damaged(f"chunk {numbers[int(wrong.argmax())]} lies outside the file")
    first, past, whole = int(places.min()), int((places + lengths).max()), None
    if 2 * lengths.sum() > past - first:  # most of it is needed: one read
        file.seek(first)
        whole = np.frombuffer(file.read(past - first), np.uint8)
    for number, (place, length) in zip(numbers.tolist(), index[numbers].tolist(), strict=True):
        if whole is None:
            file.seek(place)
            yield number, np.frombuffer(file.read(length), np.uint8)
        else:
            yield number, whole[place - first : place - first + length]


def _slice(number: int, width: int) -> slice:
    return slice(number * width, (number + 1) * width)


def _plain(value: Any) -> Any:
    """JSON without what makes no difference: compression levels, and lists or tuples."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if key != "level"}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
