import json
import pickle
import shutil

import numpy as np
import pytest
import zarr
from PIL import Image

from envs.errors import SettingError
from envs.images.pictures import load_pictures
from tests.helpers.datasets import fake_cifar10

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 5, 4, 3), np.uint8)
LABELS = np.array([0, 0, 1, 1, 2, 2])


def write_npy(path):
    np.save(path / "a.npy", IMAGES)
    return path / "a.npy", None


def write_npz(path):
    np.savez(path / "a.npz", images=IMAGES, labels=LABELS)
    return path / "a.npz", LABELS


def write_zarr(path):
    group = zarr.create_group(path / "a.zarr")
    group.create_array("images", data=IMAGES)
    group.create_array("labels", data=LABELS)
    return path / "a.zarr", LABELS


def write_zarr_of_format_2(path):
    group = zarr.create_group(path / "b.zarr", zarr_format=2)
    group.create_array("images", data=IMAGES)
    group.create_array("labels", data=LABELS)
    return path / "b.zarr", LABELS


def write_misnamed(path):
    np.savez(path / "m.npy.npz", images=IMAGES, labels=LABELS)
    return (path / "m.npy.npz").rename(path / "m.npy"), LABELS


def write_folder(path):
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        (path / "all" / f"kind{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / "all" / f"kind{label}" / f"{number}.png")
    return path / "all", LABELS


@pytest.mark.parametrize(
    "write", [write_npy, write_npz, write_zarr, write_zarr_of_format_2, write_misnamed, write_folder]
)
def test_pictures_come_back_as_they_were(write, tmp_path):
    path, labels = write(tmp_path)
    pictures = load_pictures(str(path))
    np.testing.assert_array_equal(pictures.images, IMAGES)
    np.testing.assert_array_equal(pictures.labels, 0 * LABELS if labels is None else labels)


def test_chunks_that_zarr_left_out_since_all_of_them_is_black_are_black(tmp_path):
    images, labels = IMAGES.copy(), 0 * LABELS
    images[2:4] = 0
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("images", data=images, chunks=(2, 5, 4, 3))
    group.create_array("labels", data=labels)
    group.create_array("thumbnails", shape=(6, 2, 2, 3), dtype="uint8")  # which are nothing to us
    assert group["images"].nchunks_initialized == 2
    assert group["labels"].nchunks_initialized == 0
    pictures = load_pictures(str(tmp_path / "a.zarr"))
    np.testing.assert_array_equal(pictures.images, images)
    np.testing.assert_array_equal(pictures.labels, labels)


def test_grey_and_channels_first_are_understood(tmp_path):
    np.save(tmp_path / "grey.npy", IMAGES[..., 0])
    np.testing.assert_array_equal(load_pictures(str(tmp_path / "grey.npy")).images[..., 2], IMAGES[..., 0])
    np.save(tmp_path / "first.npy", IMAGES.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(load_pictures(str(tmp_path / "first.npy")).images, IMAGES)


def test_a_torchvision_set_is_read_where_it_lies(tmp_path, monkeypatch):
    with pytest.raises(SettingError, match="holds no CIFAR10"):
        load_pictures(str(tmp_path), "CIFAR10")
    images = fake_cifar10(tmp_path, monkeypatch)
    pictures = load_pictures(str(tmp_path), "CIFAR10")
    np.testing.assert_array_equal(pictures.images, images)
    assert pictures.labels.tolist() == [3, 7] * 5


@pytest.mark.parametrize(
    ("shape", "read_as"),
    [
        ((64, 48, 3), (1, 64, 48)),
        ((64, 48, 4), (1, 64, 48)),
        ((64, 48, 1), (1, 64, 48)),
        ((1, 64, 48), (1, 64, 48)),
        ((10, 64, 48), (10, 64, 48)),
        ((10, 3, 64, 48), (10, 64, 48)),
        ((10, 64, 48, 3), (10, 64, 48)),
        ((10, 64, 48, 4), (10, 64, 48)),
        ((3, 64, 48, 3), (3, 64, 48)),
    ],
)
def test_an_array_is_as_many_pictures_as_a_person_would_say(tmp_path, shape, read_as):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    assert load_pictures(str(tmp_path / "a.npy")).images.shape == (*read_as, 3)


def test_labels_say_how_many_pictures_there_are(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((64, 48, 3), np.uint8), labels=np.arange(64))
    assert load_pictures(str(tmp_path / "a.npz")).images.shape == (64, 48, 3, 3)


@pytest.mark.parametrize("shape", [(3, 64, 48), (4, 64, 48), (10, 3, 32, 3), (3, 64, 3)])
def test_a_shape_that_may_be_read_in_two_ways_is_refused_with_both(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(SettingError, match=r"pictures? of .* or .*pictures? of .*\? store \(M, H, W, 3\) or") as caught:
        load_pictures(str(tmp_path / "a.npy"))
    assert "\n" not in str(caught.value)


def test_transparent_parts_of_an_array_are_white(tmp_path):
    pixels = np.zeros((2, 8, 8, 4), np.uint8)
    pixels[1, ..., 3] = 255
    np.save(tmp_path / "a.npy", pixels)
    assert load_pictures(str(tmp_path / "a.npy")).images.reshape(2, -1).tolist() == [[255] * 192, [0] * 192]


@pytest.mark.parametrize("ends", [[2, 2, 6], [3], [6, 4], [[6]], [3.0, 6.0], []])
def test_ends_of_episodes_that_cannot_be_are_one_line(tmp_path, ends):
    np.savez(tmp_path / "a.npz", images=IMAGES, episode_ends=np.array(ends))
    with pytest.raises(SettingError, match="episode_ends"):
        load_pictures(str(tmp_path / "a.npz"))


def test_several_arrays_of_pictures_are_named(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    for camera in ("left", "right"):
        group.create_group(camera).create_array("img", data=IMAGES)
    with pytest.raises(
        SettingError, match="several arrays of pictures, (left/img and right/img|right/img and left/img)"
    ):
        load_pictures(str(tmp_path / "a.zarr"))


def nothing(path):
    return path / "nowhere"


def empty(path):
    return path


def mixed(path):
    write_folder(path)
    Image.new("RGB", (9, 9)).save(path / "all" / "kind0" / "z.png")
    return path / "all"


def corrupt(path):
    write_folder(path)
    (path / "all" / "kind0" / "broken.png").write_bytes(b"\x89PNG no more")
    return path / "all"


def floats_in_a_file(path):
    write_folder(path)
    Image.fromarray(IMAGES[0, ..., 0].astype(np.float32)).save(path / "all" / "kind0" / "deep.tif")
    return path / "all"


def truncated(path):
    source, _ = write_npz(path)
    source.write_bytes(source.read_bytes()[:200])
    return source


def spoilt_in_the_middle(path):
    np.savez_compressed(path / "s.npz", images=0 * IMAGES.repeat(200, 0))
    data = bytearray((path / "s.npz").read_bytes())
    data[60:-150:7] = bytes(len(data[60:-150:7]))
    (path / "s.npz").write_bytes(data)
    return path / "s.npz"


def spoilt_chunk(path):
    source, _ = write_zarr(path)
    chunk = next(file for file in (source / "images" / "c").rglob("*") if file.is_file())
    chunk.write_bytes(b"no zstd any more" * 9)
    return source


def without_chunks(path):
    source, _ = write_zarr(path)
    shutil.rmtree(source / "images" / "c")
    return source


def floats(path):
    np.save(path / "f.npy", IMAGES / 255)
    return path / "f.npy"


def objects(path):
    np.save(path / "o.npy", np.array([{"run": "me"}], object), allow_pickle=True)
    return path / "o.npy"


def zarr_of_objects(path):
    """Whose chunks numcodecs would unpickle, if reading them came first."""
    group = zarr.create_group(path / "b.zarr", zarr_format=2)
    group.create_array("images", shape=(6, 5, 4, 3), dtype="uint8")
    described = path / "b.zarr" / "images" / ".zarray"
    metadata = json.loads(described.read_text())
    filters = {"dtype": "|O", "filters": [{"id": "vlen-utf8"}], "compressor": {"id": "pickle"}, "fill_value": ""}
    described.write_text(json.dumps(metadata | filters))
    (path / "b.zarr" / "images" / "0.0.0.0").write_bytes(pickle.dumps("anything"))
    return path / "b.zarr"


def fewer_labels(path):
    np.savez(path / "l.npz", images=IMAGES, labels=LABELS[:4])
    return path / "l.npz"


def labels_below_zero(path):
    np.savez(path / "l.npz", images=IMAGES, labels=LABELS - 1)
    return path / "l.npz"


def labels_beyond_counting(path):
    np.savez(path / "l.npz", images=IMAGES, labels=LABELS * 10**12)
    return path / "l.npz"


def words_for_labels(path):
    np.savez(path / "l.npz", images=IMAGES, labels=LABELS.astype(str))
    return path / "l.npz"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (nothing, "isn't there"),
        (empty, "holds no pictures"),
        (mixed, "mixes sizes"),
        (corrupt, "broken.png"),
        (floats_in_a_file, "of 32 bits a pixel's channel, deep.tif"),
        (truncated, "can't be read"),
        (spoilt_in_the_middle, "can't be read"),
        (spoilt_chunk, "can't be read"),
        (without_chunks, "has an array images of which not one of 1 chunks is stored"),
        (floats, "store uint8"),
        (objects, "can't be read"),
        (zarr_of_objects, "store numbers"),
        (fewer_labels, "6 pictures but 4 labels"),
        (labels_below_zero, "labels from -1 to 1; store 0, 1, 2"),
        (labels_beyond_counting, "labels from 0 to 2000000000000"),
        (words_for_labels, "labels that are no whole numbers"),
    ],
)
def test_what_cannot_be_read_gets_one_line_with_the_path(make, says, tmp_path):
    with pytest.raises(SettingError) as caught:
        load_pictures(str(make(tmp_path)))
    message = str(caught.value)
    assert message.startswith(f"env.path={tmp_path}")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("dataset", ["EMNIST", "FakeData", "VisionDataset"])
def test_a_torchvision_class_that_is_not_made_of_a_path_alone_gets_one_line(dataset, tmp_path):
    with pytest.raises(SettingError, match="can't be read") as caught:
        load_pictures(str(tmp_path), dataset)
    assert "\n" not in str(caught.value)


def test_hdf5_is_read_as_an_npz_is(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data/img"], file["labels"] = IMAGES, np.arange(len(IMAGES)) % 2
        file["notes"] = "text is passed over"
    loaded = load_pictures(str(tmp_path / "a.h5"))
    np.testing.assert_array_equal(loaded.images, IMAGES)
    assert {*loaded.labels} == {0, 1}
    (tmp_path / "b.h5").write_bytes(b"no such file")
    with pytest.raises(SettingError, match="can't be read"):
        load_pictures(str(tmp_path / "b.h5"))


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_pictures_of_several_sizes_become_squares(tmp_path, fit):
    for number, size in enumerate([(40, 20), (20, 40), (30, 30)]):
        (tmp_path / f"{number}").mkdir()
        Image.new("RGB", size, (200, 100, 50)).save(tmp_path / f"{number}" / "a.png")
    with pytest.raises(SettingError, match="mixes sizes: .* or set env.fit=crop or pad"):
        load_pictures(str(tmp_path))
    images = load_pictures(str(tmp_path), fit=fit, edge=16).images
    assert images.shape == (3, 16, 16, 3)
    assert (images[:, 8, 8] == (200, 100, 50)).all()
    assert (images[0, 0] == 0).all() == (fit == "pad")
