"""Loads pictures from array files, .npz, Zarr, folders of images, torchvision data sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from envs.errors import SettingError, unknown

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
ZARR_FILES = ("zarr.json", ".zgroup", ".zarray")  # of format 3, and of format 2
IMAGE_KEYS = ("images", "image", "data", "x", "x_train", "arr_0")
LABEL_KEYS = ("labels", "label", "targets", "y", "y_train", "category")
MAX_LABEL = 1 << 20  # each is a category, whether a picture has it or not


class Pictures(NamedTuple):
    """M pictures of one size, with a label each (0 throughout where there are none)."""

    images: np.ndarray  # (M, H, W, 3) uint8
    labels: np.ndarray  # (M,) int64


def load_pictures(
    path: str,
    dataset: str = "",
    *,
    setting: str = "env.path",
    options: Mapping[str, Any] | None = None,
    absent: str = "put it there first",
) -> Pictures:
    """All pictures of a file or folder.

    Args:
        path: `.npy` of (M, H, W[, 3]) uint8; `.npz` or a Zarr group holding such an array (named images, data or x)
            and, if there are, labels (M,) (named labels, targets, category or y); a folder of image files, in which
            sub-folders are the labels; or the root of a torchvision data set.
        dataset: the torchvision data set's class, such as CIFAR10. Nothing is downloaded, unless by an option.
        setting: name of the path in error messages.
        options: keywords of the torchvision class: train=False, split="test", download=True.
        absent: the advice where a torchvision data set is not there.

    Raises SettingError: with the path, what is wrong there, and the way out.
    """
    where = Path(path).expanduser()
    if not path:
        raise SettingError(f"{setting} is not given; give a folder of pictures, a .npy, .npz or Zarr")
    if not where.exists():
        raise SettingError(f"{setting}={path} isn't there; give a folder of pictures, a .npy, .npz or Zarr")
    try:
        called = "dataset" if setting == "source" else setting.replace("path", "dataset")
        return _checked(*_load(where, dataset, options or {}, absent=absent, setting=called))
    except SettingError as error:
        raise SettingError(f"{setting}={path} {error}") from None


def _load(where: Path, dataset: str, options: Mapping[str, Any], *, absent: str, setting: str) -> tuple[Any, Any]:
    """Images and labels as stored. Whatever numpy, zarr or a codec raises for a broken file becomes a SettingError."""
    try:
        if dataset:
            return _torchvision(where, dataset, options, absent=absent, setting=setting)
        if where.suffix in (".npy", ".npz"):
            with where.open("rb") as file:  # which of the two it is, the file knows, whatever its name
                loaded = np.load(file, allow_pickle=False)
                return (loaded, None) if isinstance(loaded, np.ndarray) else _named(loaded)
        if is_zarr(where):
            return _zarr(where)
        if where.is_dir():
            return _folder(where)
    except SettingError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SettingError(f"can't be read ({reason}); mend it, or store the pictures as .npz") from error
    raise SettingError(f"is no picture file that is known; try a folder, .npy, .npz or Zarr ({where.suffix})")


def _checked(images: np.ndarray, labels: Any) -> Pictures:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim == 4 and images.shape[-1] not in (1, 3) and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise SettingError(f"has an array of shape {images.shape}, no pictures; store (M, H, W, 3)")
    if images.dtype != np.uint8:
        raise SettingError(f"has pictures of type {images.dtype}; store uint8, 0 to 255")
    labels = np.zeros(len(images), np.int64) if labels is None else np.asarray(labels).reshape(-1)
    if labels.dtype.kind not in "iuf" or (labels != np.round(labels)).any():
        raise SettingError(f"has labels that are no whole numbers (of type {labels.dtype}); store 0, 1, 2 and so on")
    if len(labels) and not 0 <= labels.min() <= labels.max() <= MAX_LABEL:
        raise SettingError(f"has labels from {labels.min()} to {labels.max()}; store 0, 1, 2 and so on")
    if len(labels) != len(images):
        raise SettingError(f"has {len(images)} pictures but {len(labels)} labels; store as many of both")
    images = np.repeat(images, 3, 3) if images.shape[-1] == 1 else np.array(images)
    return Pictures(images, labels.astype(np.int64))


def _named(arrays: Mapping[str, Any]) -> tuple[Any, Any]:
    images = next((arrays[name] for name in IMAGE_KEYS if name in arrays), None)
    if images is None:
        raise SettingError(f"has no array named images, data or x, but {', '.join(arrays) or 'nothing'}")
    return images, next((arrays[name] for name in LABEL_KEYS if name in arrays), None)


def is_zarr(where: Path) -> bool:
    """Whether a Zarr array or group of format 2 or 3 lies there."""
    return any((where / name).exists() for name in ZARR_FILES)


def _zarr(where: Path) -> tuple[Any, Any]:
    import zarr

    node = zarr.open(where, mode="r")
    if isinstance(node, zarr.Array):
        return _stored(node)[:], None
    if "committed" in node.attrs:  # whose chunks must be checked, as only its own reader does
        raise SettingError("is a recorded stream and no set of pictures; replay it with stream=replay stream.path=...")
    images, labels = _named(dict(node.arrays()))
    return _stored(images)[:], None if labels is None else numbers(labels)[:]


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


def _folder(where: Path) -> tuple[np.ndarray, np.ndarray]:
    files = sorted(file for file in where.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise SettingError(f"holds no pictures; known are {' '.join(SUFFIXES)}")
    labels = sorted({file.parent for file in files})
    images = [picture(file) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            one, other = (f"{shape[1]}x{shape[0]}" for shape in (images[0].shape, image.shape))
            raise SettingError(f"mixes sizes: {files[0].name} is {one}, {file.name} is {other}; resize them to one")
    return np.stack(images), np.array([labels.index(file.parent) for file in files])


def picture(file: str | Path) -> np.ndarray:
    """One picture (H, W, 3) uint8. Raises SettingError, whose message the caller completes with the setting."""
    try:
        with Image.open(file) as image:
            mode, pixels = image.mode, np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise SettingError(f"holds a picture that can't be read, {Path(file).name}; mend or remove it") from None
    if mode[0] in "IF":  # I, I;16, F: what is above 255 has become white
        raise SettingError(f"holds a picture of more than 8 bits a pixel's channel, {Path(file).name}; store it with 8")
    return pixels


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
