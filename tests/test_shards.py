"""Chunks in shards, against zarr-python, and whatever can happen to a file."""

import io
import json

import numpy as np
import pytest
import zarr

from streams.shards import TYPES, Damaged, decode, document, encode, layout_of, layouts


def some(kind, shape):
    draws = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 100, shape)
    return draws.astype(kind)


def made(worlds=4, size=32, kind="float32"):
    rows = {"images": ("uint8", (worlds, size, size, 3)), "episode": ("int64", (worlds,))}
    return layouts(rows | {"factors/x": (kind, (worlds, 3))})


def read(layout, data, numbers=None):
    numbers = np.arange(int(np.prod(layout.grid))) if numbers is None else np.array(numbers)
    return {number: chunk.copy() for number, chunk in decode(layout, io.BytesIO(data), numbers)}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("steps", [256, 70])
def test_zarr_reads_every_type_and_a_last_shard_that_is_not_full(tmp_path, kind, steps):
    for layout in made(kind=kind).values():
        values = some(layout.kind, (steps, *layout.shard[1:]))
        path = tmp_path / layout.key(0)
        path.parent.mkdir(parents=True)
        path.write_bytes(encode(layout, values))
        (tmp_path / layout.name / "zarr.json").write_text(json.dumps(document(layout, steps)))
        assert np.array_equal(zarr.open_array(tmp_path / layout.name, mode="r")[:], values)


def test_what_zarr_writes_is_read(tmp_path):
    layout = made()["images"]
    values = some("uint8", layout.shard)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "zarr.json").write_text(json.dumps(document(layout, len(values))))
    zarr.open_array(tmp_path / "images", mode="r+")[:] = values
    found = read(layout, (tmp_path / layout.key(0)).read_bytes(), [5, 2])
    assert list(found) == [5, 2]
    assert np.array_equal(found[5], values[16:32, 1:2])


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
    found = document(made()["factors/x"], 99)
    node = found
    for key in where[:-1]:
        node = node[key]
    node[where[-1]] = value
    with pytest.raises(ValueError, match="has|is no"):
        layout_of("factors/x", found)


def test_no_flipped_bit_and_no_cut_goes_unnoticed():
    layout = made(size=4)["images"]
    values = some("uint8", layout.shard)
    data = encode(layout, values)
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
    data = encode(layout, some("uint8", layout.shard)[:20])
    read(layout, data, range(8))
    with pytest.raises(Damaged, match="chunk 8 is missing"):
        read(layout, data, [7, 8])
