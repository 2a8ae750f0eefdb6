"""Chunks in shards, against zarr-python, and whatever can happen to a file."""

import io
import json

import numpy as np
import pytest
import zarr
from zstandard import ZstdCompressor, frame_content_size

from envs.errors import SettingError
from streams.recording import codec as shards
from streams.recording.checksum import Damaged, with_crc
from streams.recording.codec import TYPES, decode, decode_steps, document, encode, layout_of, layouts


def compress(data, level):
    return ZstdCompressor(level=level).compress(data)


def some(kind, shape):
    draws = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 100, shape)
    return draws.astype(kind)


def made(worlds=4, size=32, kind="float32"):
    rows = {"images": ("uint8", (worlds, size, size, 3)), "episode": ("int64", (worlds,))}
    return layouts(rows | {"factors/x": (kind, (worlds, 3))})


def read(layout, data, numbers=None):
    numbers = np.arange(int(np.prod(layout.grid))) if numbers is None else np.array(numbers)
    return {number: chunk.copy() for number, chunk in decode(layout, io.BytesIO(data), numbers, number=0)}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("steps", [256, 70])
def test_zarr_reads_every_type_and_a_last_shard_that_is_not_full(tmp_path, kind, steps):
    for layout in made(kind=kind).values():
        values = some(layout.kind, (steps, *layout.shard[1:]))
        path = tmp_path / layout.key(0)
        path.parent.mkdir(parents=True)
        path.write_bytes(encode(layout, values, number=0))
        (tmp_path / layout.name / "zarr.json").write_text(json.dumps(document(layout, steps)))
        assert np.array_equal(zarr.open_array(tmp_path / layout.name, mode="r")[:], values)


def test_what_zarr_writes_is_read(tmp_path):
    layout = made()["images"]
    values = some("uint8", layout.shard)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "zarr.json").write_text(json.dumps(document(layout, len(values))))
    zarr.open_array(tmp_path / "images", mode="r+")[:] = values
    chunks = read(layout, (tmp_path / layout.key(0)).read_bytes(), [5, 2])
    assert list(chunks) == [5, 2]
    assert np.array_equal(chunks[5], values[16:32, 1:2])


@pytest.mark.parametrize(("worlds", "size"), [(4, 32), (16, 16)])  # chunks of one world, and of four
@pytest.mark.parametrize(("first", "past"), [(0, 64), (16, 48), (5, 6), (15, 17), (3, 61)])
def test_any_steps_are_read_in_place(worlds, size, first, past):
    for layout in made(worlds, size).values():
        values = some(layout.kind, (64, *layout.shard[1:]))
        steps = np.empty((past - first, *layout.shard[1:]), layout.kind)
        decode_steps(layout, io.BytesIO(encode(layout, values, number=0)), first, steps, number=0)
        assert steps.shape == (past - first, *layout.shard[1:])
        assert np.array_equal(steps, values[first:past])


@pytest.mark.parametrize(
    ("worlds", "size", "shard", "chunk"), [(1, 64, 1024, 1), (128, 32, 16, 1), (16, 16, 64, 4), (7, 16, 144, 1)]
)
def test_a_chunk_is_a_world_for_sixteen_steps_and_a_shard_about_a_thousand_frames(worlds, size, shard, chunk):
    layout = made(worlds, size)["images"]
    assert layout.shard == (shard, worlds, size, size, 3)
    assert layout.chunk == (16, chunk, size, size, 3)


def test_a_layout_is_known_by_its_document():
    for name, layout in made().items():
        assert layout_of(name, json.loads(json.dumps(document(layout, 99)))) == (layout, 99)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("data_type",), "object"),
        (("data_type",), "string"),
        (("shape",), [-4, 4, 3]),
        (("shape",), [True, 4, 3]),
        (("shape",), "many"),
        (("chunk_grid", "configuration", "chunk_shape"), [1 << 40, 4, 3]),
        (("chunk_grid", "configuration", "chunk_shape"), [256, 0, 3]),
        (("codecs", 0, "configuration", "chunk_shape"), [7, 4, 3]),
        (("codecs", 0, "configuration", "codecs", 1), {"name": "numcodecs.pickle"}),
        (("codecs", 0, "name"), "blosc"),
        (("storage_transformers",), [{"name": "other"}]),
        (("codecs",), []),
    ],
)
def test_a_document_of_any_other_kind_is_refused(where, value):
    metadata = document(made()["factors/x"], 99)
    node = metadata
    for key in where[:-1]:
        node = node[key]
    node[where[-1]] = value
    with pytest.raises(ValueError, match="has|is no"):
        layout_of("factors/x", metadata)


def test_no_flipped_bit_and_no_cut_goes_unnoticed():
    layout = made(size=4)["images"]
    values = some("uint8", layout.shard)
    data = encode(layout, values, number=0)
    assert np.array_equal(np.concatenate(list(read(layout, data).values())), values)
    for place in np.random.default_rng(0).choice(len(data), 300, replace=False):
        hurt = bytearray(data)
        hurt[place] ^= 1 << place % 8
        with pytest.raises(Damaged, match="checksum|cut short"):
            read(layout, bytes(hurt))
    for length in [0, 3, 100, len(data) - 1]:
        with pytest.raises(Damaged):
            read(layout, data[:length])


def test_a_chunk_that_was_never_written_is_not_black():
    layout = made()["images"]
    data = encode(layout, some("uint8", layout.shard)[:20], number=0)
    read(layout, data, range(8))
    with pytest.raises(Damaged, match="chunk 8 is missing"):
        read(layout, data, [7, 8])


def shard_of(layout, packed):
    """A shard file whose chunks are all these bytes, with checksums that are right."""
    chunks = int(np.prod(layout.grid))
    length = len(packed) + shards.CRC
    index = np.array([(number * length, length) for number in range(chunks)], "<u8")
    return with_crc(packed) * chunks + with_crc(index.tobytes())


@pytest.mark.parametrize("level", [-7, -1, 1, 3, 19])
def test_a_chunk_is_read_whatever_its_level(level):
    layout = made()["images"]
    chunk = some("uint8", layout.chunk)
    metadata = document(layout, 99)
    metadata["codecs"][0]["configuration"]["codecs"][1]["configuration"]["level"] = level
    assert layout_of("images", metadata) == (layout, 99)
    data = shard_of(layout, compress(chunk, level))
    assert all(np.array_equal(one, chunk) for one in read(layout, data).values())


@pytest.mark.parametrize(
    "packed",
    [
        compress(bytes(10), 1),
        compress(bytes(300), 1),
        compress(bytes(16 * 32 * 32 * 3 - 1), 1),
        compress(bytes(16 * 32 * 32 * 3 + 1), 1),
        compress(bytes(10**6), 1),
        compress(bytes(16 * 32 * 32 * 3), 1)[:-3],
        compress(bytes(16 * 32 * 32 * 3), 1)[:5],
        bytes(16 * 32 * 32 * 3),
        b"",
        b"\x28\xb5\x2f\xfd\x00\x58" + compress(bytes(16 * 32 * 32 * 3), 1)[9:],  # does not say how much it holds
    ],
)
def test_a_chunk_that_holds_more_or_less_than_its_frames_is_damaged(packed):
    layout = made()["images"]
    with pytest.raises(Damaged, match="chunk 0"):
        read(layout, shard_of(layout, packed))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65791, 65792, 1 << 20])
def test_what_a_frame_holds_is_in_its_head(size):
    assert frame_content_size(compress(bytes(size), -1)) == size


@pytest.mark.parametrize(("first", "past"), [(0, 256), (16, 32), (3, 20), (31, 33), (240, 256), (7, 8)])
def test_any_steps_of_a_shard_are_read(first, past):
    for layout in made().values():
        values = some(layout.kind, layout.shard)
        out = np.full((past - first, *layout.shard[1:]), 77).astype(layout.kind)
        shards.decode_steps(layout, io.BytesIO(encode(layout, values, number=0)), first, out, number=0)
        assert np.array_equal(out, values[first:past])


@pytest.mark.parametrize(("worlds", "size", "largest"), [(1, 837, 836), (128, 600, 591)])
def test_frames_that_no_reader_would_take_are_not_written(worlds, size, largest):
    for wrong in (size, largest + 1):
        with pytest.raises(SettingError, match=f"frames of {wrong}x{wrong} are too many bytes .* try size={largest}$"):
            made(worlds, wrong)
    made(worlds, largest)
