"""Loads pictures from array files, .npz, Zarr, folders of images, torchvision data sets."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from envs.errors import SettingError, unknown
from envs.images.decoding import moves, over_white, picture, squared, suffixes
from envs.images.folders import listing, named
from envs.images.storage import Storage

ZARR_FILES = ("zarr.json", ".zgroup", ".zarray")  # of format 3, and of format 2
IMAGE_KEYS = ("images", "image", "img", "imgs", "frames", "data", "x", "x_train", "arr_0")
LABEL_KEYS = ("labels", "label", "targets", "y", "y_train", "category")
END_KEYS = ("episode_ends",)  # of arrays that hold one past the last picture of each episode
MAX_LABEL = (1 << 31) - 1
CHANNELS = (1, 3, 4)  # grey, RGB, RGBA
LEAST = 8  # pixels along the edges of one RGBA picture, which might as well be grey ones that are 4 wide


HDF5 = (".h5", ".hdf5")
NPY = b"\x93NUMPY"  # how such a file begins
BLOCK = 256  # pictures that are converted at once
RESIZE, FIT = "resize them to one", ", or set env.fit=crop or pad"  # the latter where pictures are a world's
Square = Callable[[np.ndarray], np.ndarray]  # a picture (H, W, 3) of any size to one of the common size


class Pictures(NamedTuple):
    """M pictures of one size, with a label each (0 throughout where there are none)."""

    images: np.ndarray  # (M, H, W, 3) uint8
    labels: np.ndarray  # (M,) int64
    episode: np.ndarray | None = None  # (M,) int64, where the file says where episodes end
    categories: list[str] = []  # noqa: RUF012  what each label is called, where that is known
    notes: list[str] = []  # noqa: RUF012  what was passed over, a line each


class Stored(NamedTuple):
    """Pictures as a file stores them."""

    images: Any
    labels: Any = None
    ends: Any = None  # (E,) one past the last picture of each episode
    categories: list[str] = []  # noqa: RUF012
    notes: list[str] = []  # noqa: RUF012


def load_pictures(
    path: str,
    dataset: str = "",
    *,
    setting: str = "env.path",
    options: Mapping[str, Any] | None = None,
    absent: str = "put it there first",
    fit: str = "none",
    edge: int = 0,
    memory_mb: float = math.inf,
) -> Pictures:
    """All pictures of a file or folder.

    Args:
        path: `.npy` of (M, H, W[, C]) uint8 or one picture (H, W, C), C being 1, 3 or 4; `.npz` or a Zarr group
            or HDF5 file holding such an array (named images, img, data or x) and, if there are, labels (M,) (named
            labels, targets, category or y) and `episode_ends`; a folder of image files, in which sub-folders are the
            labels; or the root of a torchvision data set.
        dataset: the torchvision data set's class, such as CIFAR10. Nothing is downloaded, unless by an option.
        setting: name of the path in error messages.
        options: keywords of the torchvision class: train=False, split="test", download=True.
        absent: the advice where a torchvision data set is not there.
        fit: how the files of a folder become squares of `edge` pixels: crop, pad, or none, where all have one size.
        memory_mb: pictures that take more, in 2^20 bytes, lie on disk and are mapped: a .npy where it is, those of a
            folder or Zarr in a file of the user's cache folder that is gone when nobody uses it any more.

    Raises SettingError: with the path, what is wrong there, and the way out.
    """
    where = Path(path).expanduser()
    if not path:
        raise SettingError(f"{setting} is not given; give a folder of pictures, a .npy, .npz or Zarr")
    if not where.exists():
        raise SettingError(f"{setting}={path} isn't there; give a folder of pictures, a .npy, .npz or Zarr")
    try:
        called = "dataset" if setting == "source" else setting.replace("path", "dataset")
        square = partial(squared, size=edge, fit=fit) if fit != "none" else None
        storage = Storage(memory_mb)
        stored = _load(where, dataset, options or {}, absent=absent, setting=called, square=square, storage=storage)
        return _checked(stored, storage)
    except SettingError as error:
        what = str(error) if setting == "env.path" else str(error).removesuffix(FIT)
        raise SettingError(f"{setting}={path} {what}") from None


def _load(
    where: Path,
    dataset: str,
    options: Mapping[str, Any],
    *,
    absent: str,
    setting: str,
    square: Square | None,
    storage: Storage,
) -> Stored:
    """Pictures as stored. Whatever numpy, zarr or a codec raises for a broken file becomes a SettingError."""
    try:
        if dataset:
            return Stored(*_torchvision(where, dataset, options, absent=absent, setting=setting))
        if where.suffix in (".npy", ".npz"):
            with where.open("rb") as file:  # which of the two it is, the file knows, whatever its name
                if file.read(6) == NPY:
                    return Stored(np.load(where, mmap_mode="c", allow_pickle=False))
                file.seek(0)
                return _named(np.load(file, allow_pickle=False))
        if is_zarr(where):
            return _zarr(where, storage)
        if where.suffix in HDF5:
            return _hdf5(where, storage)
        if where.is_dir():
            return _folder(where, square, storage)
    except SettingError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SettingError(f"can't be read ({reason}); mend it, or store the pictures as .npz") from error
    raise SettingError(f"is no picture file that is known; try a folder, .npy, .npz or Zarr ({where.suffix})")


def _checked(stored: Stored, storage: Storage) -> Pictures:
    labels = None if stored.labels is None else np.asarray(stored.labels).reshape(-1)
    images = _in_order(stored.images, None if labels is None else len(labels))
    if images.dtype != np.uint8 and not (images.dtype.kind == "f" and _counts_to_255(images)):
        raise SettingError(f"has pictures of type {images.dtype}; store uint8, 0 to 255")
    labels = np.zeros(len(images), np.int64) if labels is None else labels
    if labels.dtype.kind not in "iuf" or (labels != np.round(labels)).any():
        raise SettingError(f"has labels that are no whole numbers (of type {labels.dtype}); store 0, 1, 2 and so on")
    if len(labels) and not 0 <= labels.min() <= labels.max() <= MAX_LABEL:
        raise SettingError(f"has labels from {labels.min()} to {labels.max()}; store 0, 1, 2 and so on")
    if len(labels) != len(images):
        raise SettingError(f"has {len(images)} pictures but {len(labels)} labels; store as many of both")
    images = _rgb(images, storage)
    episode = None if stored.ends is None else _episodes(np.asarray(stored.ends), len(images))
    return Pictures(images, labels.astype(np.int64), episode, stored.categories, stored.notes)


def _rgb(images: np.ndarray, storage: Storage) -> np.ndarray:
    """Pictures (M, H, W, C) as (M, H, W, 3) uint8: grey in three channels, what is transparent over white."""
    ready = images.dtype == np.uint8 and images.shape[-1] == 3 and images.flags.c_contiguous and images.flags.writeable
    if ready and not (isinstance(images, np.memmap) and storage.in_memory(images.shape)):
        return images
    whole = storage.empty((*images.shape[:3], 3))
    for first in range(0, len(images), BLOCK):
        block = np.asarray(images[first : first + BLOCK]).astype(np.uint8, copy=False)
        whole[first : first + BLOCK] = over_white(block) if block.shape[-1] == 4 else block
    return whole


def _counts_to_255(images: np.ndarray) -> bool:
    """Whether floats are the whole numbers of uint8, and beyond doubt not shares of 1."""
    whole = np.isin(images[:1], range(256)).all() and images.min() >= 0 and 1 < images.max() <= 255
    return bool(whole and (images == np.round(images)).all())


def _in_order(images: np.ndarray, labels: int | None) -> np.ndarray:
    """An array of pictures as (M, H, W, C). Raises SettingError: it is none, or may be read in two ways."""
    shape = images.shape
    readings: dict[str, np.ndarray] = {}
    if images.ndim == 3:
        readings[f"{shape[0]} grey pictures of {shape[2]}x{shape[1]}"] = images[..., None]
        if shape[2] in CHANNELS[:2] or (shape[2] in CHANNELS and min(shape[:2]) >= LEAST):
            readings[f"one picture of {shape[1]}x{shape[0]}"] = images[None]
        elif shape[0] in CHANNELS[1:]:
            readings[f"one picture of {shape[2]}x{shape[1]}"] = images.transpose(1, 2, 0)[None]
    elif images.ndim == 4:
        if shape[3] in CHANNELS:
            readings[f"pictures of {shape[2]}x{shape[1]}"] = images
        if shape[1] in CHANNELS:
            readings[f"pictures of {shape[3]}x{shape[2]}, channels first"] = images.transpose(0, 2, 3, 1)
    if labels is not None:
        readings = {what: of for what, of in readings.items() if len(of) == labels} or readings
    narrow = CHANNELS if any(min(of.shape[1:3]) >= LEAST for of in readings.values()) else CHANNELS[:2]
    wide = {what: of for what, of in readings.items() if min(of.shape[1:3]) not in narrow}
    readings = wide or readings
    if not readings or not images.size:
        raise SettingError(f"has an array of shape {shape}, no pictures; store (M, H, W, 3)")
    if len(readings) > 1:
        raise SettingError(
            f"has an array of shape {shape}: {' or '.join(readings)}? store (M, H, W, 3) or (M, H, W, 1)"
        )
    return next(iter(readings.values()))


def _episodes(ends: np.ndarray, count: int) -> np.ndarray:
    """The episode (M,) of each picture. Raises SettingError: ends that are none."""
    if ends.ndim != 1 or ends.dtype.kind not in "iu" or not len(ends) or (np.diff(ends, prepend=0) <= 0).any():
        raise SettingError(f"has episode_ends of shape {ends.shape} that do not rise; store one past each last picture")
    if ends[-1] != count:
        raise SettingError(f"has {count} pictures, and episode_ends up to {ends[-1]}; store as many")
    return np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))


def _named(arrays: Mapping[str, Any]) -> Stored:
    """The arrays of these names, or of these below a group (`data/img`)."""
    last = {name: name.rpartition("/")[2] for name in arrays}
    images = next((name for key in IMAGE_KEYS for name in arrays if last[name] == key), None)
    if images is None:
        raise SettingError(f"has no array named images, img, data or x, but {', '.join(arrays) or 'nothing'}")
    others = [name for name in arrays if last[name] in IMAGE_KEYS[:5] and name != images]
    if others and last[others[0]] == last[images]:
        raise SettingError(f"has several arrays of pictures, {images} and {', '.join(others)}; store the one apart")
    labels, ends = (
        next((arrays[name] for key in keys for name in arrays if last[name] == key), None)
        for keys in (LABEL_KEYS, END_KEYS)
    )
    return Stored(arrays[images], labels, ends)


def is_zarr(where: Path) -> bool:
    """Whether a Zarr array or group of format 2 or 3 lies there."""
    return any((where / name).exists() for name in ZARR_FILES)


def _zarr(where: Path, storage: Storage) -> Stored:
    import zarr

    node = zarr.open(where, mode="r")
    if isinstance(node, zarr.Array):
        return Stored(storage.copy(_stored(node)))
    if "committed" in node.attrs:  # whose chunks must be checked, as only its own reader does
        raise SettingError("is a recorded stream and no set of pictures; replay it with stream=replay stream.path=...")
    images, labels, ends, *_ = _named(arrays_of(node))
    labels, ends = (None if each is None else numbers(each)[:] for each in (labels, ends))
    return Stored(storage.copy(_stored(images)), labels, ends)


def _hdf5(where: Path, storage: Storage) -> Stored:
    """The arrays of an HDF5 file, by path. Raises SettingError: h5py is not installed."""
    try:
        import h5py
    except ImportError as error:
        raise SettingError("is HDF5, which needs h5py; install contiguity[data]") from error
    with h5py.File(where, "r") as file:
        arrays: dict[str, Any] = {}
        file.visititems(lambda name, node: arrays.update({name: node} if isinstance(node, h5py.Dataset) else {}))
        images, labels, ends, *_ = _named({name: of for name, of in arrays.items() if of.dtype.kind in "biuf"})
        labels, ends = (None if each is None else each[:] for each in (labels, ends))
        return Stored(storage.copy(images), labels, ends)


def arrays_of(node: Any) -> dict[str, Any]:
    """The arrays of a Zarr group, and of the groups in it, by path."""
    arrays = dict(node.arrays())
    return arrays | {f"{name}/{own}": of for name, group in node.groups() for own, of in group.arrays()}


def numbers(array: Any) -> Any:
    """A Zarr array that is checked to hold numbers, since reading an array of objects may run stored code."""
    if array.dtype.kind not in "biuf":
        raise SettingError(f"has an array {array.basename} of type {array.dtype}; store numbers")
    return array


def _stored(images: Any) -> Any:
    """A Zarr array of pictures, checked to have any chunk: lost ones read as black ones do, which Zarr leaves out."""
    if numbers(images).size and not images.nchunks_initialized:
        called = f"an array {images.basename}" if images.basename else "pictures"
        raise SettingError(f"has {called} of which not one of {images.nchunks} chunks is stored; copy all of its files")
    return images


def _folder(where: Path, square: Square | None, storage: Storage) -> Stored:
    files, classes, categories, passed_over = listing(where, suffixes())
    if not files:
        raise SettingError(f"holds no pictures; known are {' '.join(suffixes())}")
    images: np.ndarray | None = None
    for number, file in enumerate(files):
        image = square(picture(file)) if square else picture(file)
        images = storage.empty((len(files), *image.shape)) if images is None else images
        if image.shape != images.shape[1:]:
            one, other = (f"{shape[1]}x{shape[0]}" for shape in (images.shape[1:], image.shape))
            names = Path(files[0]).name, Path(file).name
            raise SettingError(f"mixes sizes: {names[0]} is {one}, {names[1]} is {other}; {RESIZE}{FIT}")
        images[number] = image
    notes = [f"passed over: {named(kind, names)}" for kind, names in passed_over.items()]
    if moving := [Path(file).name for file in files if moves(file)]:
        notes.append(f"of moving pictures the first frame is shown: {named('of them', moving)}")
    return Stored(images, np.array(classes), None, categories, notes)


def _torchvision(where: Path, dataset: str, options: Mapping, *, absent: str, setting: str) -> tuple[Any, Any]:
    from torchvision import datasets

    if dataset not in datasets.__all__:
        raise unknown(setting, dataset, datasets.__all__)
    kind = getattr(datasets, dataset)
    try:
        data = kind(str(where), **{"download": False, **options})
    except TypeError:
        data = kind(str(where), **options)
    except RuntimeError as error:
        reason = str(error).partition(" You can use download=True")[0].rstrip(".")  # which is no setting here
        raise SettingError(f"holds no {dataset} ({reason}); {absent}") from None
    labels = getattr(data, "targets", getattr(data, "labels", None))
    if hasattr(data, "data"):
        return np.asarray(data.data), labels
    pairs = [(np.asarray(image.convert("RGB")), label) for image, label, *_ in data]
    return np.stack([image for image, _ in pairs]), [label for _, label in pairs]
