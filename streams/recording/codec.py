"""How arrays of frames lie on disk: Zarr v3 shards of zstd chunks, each with its CRC-32C.

Any Zarr reader opens them. They are written and read by hand here because zarr-python returns black for a missing
chunk, runs whatever codec the metadata names, and takes six times as long as zstd for a shard of 1,024 frames.

A shard file is: chunks, each with its CRC; the seal; the index, which Zarr reads from the end. The seal is the CRC of
every chunk (uint32 each, 0 for none), the number of steps in the file (uint32), and the CRC-32C (uint32) of all that
and of the index, begun with the recording's id, the array and the number of the file. Recordings of format 1 have none.
"""

import math
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

from envs.errors import SettingError
from streams.recording.checksum import CRC, Damaged, crc32c, with_crc, without_crc

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
    recording: str = ""  # id of the recording whose files these are; none in format 1, which has no seals

    @property
    def fill(self) -> float:
        """What stands where nothing was written: a number that tells, where the type has one."""
        if not self.recording:
            return 0
        return -1 if self.kind.startswith("int") else np.nan if self.kind.startswith("float") else 0

    @property
    def tail(self) -> int:
        """Bytes of a shard file behind its chunks: seal and index."""
        chunks = math.prod(self.grid)
        return chunks * ENTRY + CRC + ((chunks + 2) * CRC if self.recording else 0)

    def seal(self, number: int, sealed: bytes) -> bytes:
        """The CRC-32C that binds bytes to a shard of this array of this recording."""
        place = f"{self.recording}/{self.name}/{number} {self.kind} {self.shard} {self.chunk}\n"
        return crc32c(place.encode() + sealed).to_bytes(CRC, "little")

    @property
    def grid(self) -> tuple[int, int]:
        """Number of a shard's chunks along time and along worlds."""
        return self.shard[0] // self.chunk[0], self.shard[1] // self.chunk[1]

    def key(self, number: int) -> str:
        """The file of a shard."""
        return "/".join([self.name, "c", str(number), *("0" for _ in self.shard[1:])])


def layouts(rows: dict[str, tuple[str, tuple[int, ...]]], *, recording: str = "") -> dict[str, Layout]:
    """The layouts of a recording's arrays, by types and shapes of one step (N, ...); `images` is (N, H, W, 3).

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
        name: Layout(
            name, kind, (steps, *row), (CHUNK_STEPS, side, *row[1:]) if name == "images" else (steps, *row), recording
        )
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
    fill: Any = "NaN" if np.isnan(layout.fill) else int(layout.fill)
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [steps, *layout.shard[1:]],
        "data_type": layout.kind,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(layout.shard)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": False if layout.kind == "bool" else fill,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": {},
        "dimension_names": ["time", "world", *axes],
        "storage_transformers": [],
    }


def layout_of(name: str, metadata: dict[str, Any], *, recording: str = "") -> tuple[Layout, int]:
    """The layout and length that an array's zarr.json describes, which must be as `document` would have written it.

    Raises ValueError: it is not; the message is what is wrong with it.
    """
    try:
        shard = tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"])
        chunk = tuple(metadata["codecs"][0]["configuration"]["chunk_shape"])
        layout, steps = Layout(name, metadata["data_type"], shard, chunk, recording), metadata["shape"][0]
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


def encode(layout: Layout, steps: np.ndarray, *, number: int) -> bytes:
    """The shard file of this number, of steps (S, N, ...), S at most the shard's; its last chunk is filled up."""
    times, sides = layout.grid
    compressor = ZstdCompressor(level=LEVEL)
    index, sums = np.full((times * sides, 2), ABSENT, np.uint64), np.zeros(times * sides, "<u4")
    short = (-len(steps) % layout.chunk[0], *steps.shape[1:])
    padded = np.concatenate([steps, np.full(short, layout.fill, steps.dtype)]) if short[0] else steps
    parts, place = [], 0
    for chunk in range(len(padded) // layout.chunk[0] * sides):
        time, side = divmod(chunk, sides)
        cut = np.ascontiguousarray(padded[_slice(time, layout.chunk[0]), _slice(side, layout.chunk[1])])
        packed = with_crc(compressor.compress(cut.reshape(-1).view(np.uint8).data))
        index[chunk] = place, len(packed)
        sums[chunk] = int.from_bytes(packed[-CRC:], "little")
        parts.append(packed)
        place += len(packed)
    entries, known = index.astype("<u8").tobytes(), sums.tobytes() + len(steps).to_bytes(CRC, "little")
    seal = known + layout.seal(number, known + entries) if layout.recording else b""
    return b"".join([*parts, seal, with_crc(entries)])


def decode(
    layout: Layout, file: BinaryIO, chunks: np.ndarray, *, number: int, steps: int = 0
) -> Iterator[tuple[int, np.ndarray]]:
    """Chunks, by their numbers, of the file of the shard of this number: read-only, of shape `layout.chunk`.

    Args:
        steps: how many the file must hold.

    Raises Damaged: with the number of the chunk, as soon as one is not what was written.
    """
    decompressor = ZstdDecompressor()  # of this call alone, since threads can't share one
    size = math.prod(layout.chunk) * np.dtype(layout.kind).itemsize
    for chunk, packed in _packed(layout, file, chunks, number=number, steps=steps):
        data = without_crc(packed, f"chunk {chunk}").data
        try:
            if frame_content_size(data) != size:  # no more is decompressed than it should hold
                raise Damaged(f"chunk {chunk} does not hold {size:,} bytes")
            numbers = decompressor.decompress(data, allow_extra_data=False)
        except ZstdError as error:
            raise Damaged(f"chunk {chunk} does not decompress ({error})") from None
        yield chunk, np.frombuffer(numbers, layout.kind).reshape(layout.chunk)


def decode_steps(layout: Layout, file: BinaryIO, first: int, out: np.ndarray, *, number: int, steps: int = 0) -> None:
    """Puts steps from the first on, of the file of the shard of this number, into `out` (s, N, ...).

    Raises Damaged: as `decode`.
    """
    long, past, sides = layout.chunk[0], first + len(out), layout.grid[1]
    chunks = np.arange(first // long * sides, -(-past // long) * sides)
    for at, chunk in decode(layout, file, chunks, number=number, steps=max(steps, past)):
        time, side = divmod(at, sides)
        begin, end = max(first, time * long), min(past, (time + 1) * long)
        out[begin - first : end - first, _slice(side, layout.chunk[1])] = chunk[begin - time * long : end - time * long]


def _packed(
    layout: Layout, file: BinaryIO, chunks: np.ndarray, *, number: int, steps: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Chunks by their numbers as they lie in a shard file: compressed, with their checksum."""
    start = file.seek(0, 2) - layout.tail
    if start < 0:
        raise Damaged("the file is cut short")
    file.seek(start)
    tail = np.frombuffer(file.read(), np.uint8)
    entries = without_crc(tail[-math.prod(layout.grid) * ENTRY - CRC :], "the index")
    sums = _unsealed(layout, tail, entries, number=number, steps=steps)[chunks] if layout.recording else None
    index = entries.view("<u8").reshape(-1, 2)[chunks]
    places, lengths = index[:, 0], index[:, 1]
    if (places == ABSENT).any():
        raise Damaged(f"chunk {chunks[int((places == ABSENT).argmax())]} is missing")
    wrong = (places + lengths > start) | (lengths > start) | (lengths <= CRC)
    if wrong.any():
        raise Damaged(f"chunk {chunks[int(wrong.argmax())]} lies outside the file")
    first, past, whole = int(places.min()), int((places + lengths).max()), None
    if 2 * lengths.sum() > past - first:  # most of it is needed: one read
        file.seek(first)
        whole = np.frombuffer(file.read(past - first), np.uint8)
    for at, (place, length) in enumerate(index.tolist()):
        if whole is None:
            file.seek(place)
            packed = np.frombuffer(file.read(length), np.uint8)
        else:
            packed = whole[place - first : place - first + length]
        if sums is not None and int.from_bytes(packed[-CRC:], "little") != sums[at]:
            raise Damaged(f"chunk {chunks[at]} is not the one that was written there")
        yield int(chunks[at]), packed


def _unsealed(layout: Layout, tail: np.ndarray, entries: np.ndarray, *, number: int, steps: int) -> np.ndarray:
    """The CRC of each chunk (chunks,), from a seal that fits recording, array and number. Raises Damaged."""
    known = tail[: (math.prod(layout.grid) + 1) * CRC]
    if layout.seal(number, known.tobytes() + entries.tobytes()) != tail[len(known) : len(known) + CRC].tobytes():
        raise Damaged("the file belongs elsewhere: its seal is of another recording, array or place, or altered")
    numbers = known.view("<u4")
    if numbers[-1] < steps:
        raise Damaged(f"the file holds {numbers[-1]} steps, and {steps} of it were committed: it is an older version")
    return numbers[:-1]


def _slice(number: int, width: int) -> slice:
    return slice(number * width, (number + 1) * width)


def _plain(value: Any) -> Any:
    """JSON without what makes no difference: compression levels, and lists or tuples."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if key != "level"}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
