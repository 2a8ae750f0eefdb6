"""Data the encoder never saw, as tasks for the same probes: digits, other worlds, data sets by name or by path."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from torch import Tensor
from torch.nn.functional import interpolate

from envs.errors import SettingError, unknown
from envs.images.pictures import Pictures, load_pictures
from runs.evaluation.features import LabelledImages, Task, numbered, ranks
from runs.evaluation.world_tasks import (
    check_moving_objects,
    check_moving_objects_dark,
    check_unseen_categories,
    moving_meshes,
    moving_objects,
    moving_objects_dark,
    spares_categories,
    unseen_categories,
)
from streams.recording.reader import Recording

DIGITS_SPLIT = (500, 297, 1000)  # training, validation and test images
DEFAULT = ("digits", "unseen_categories")  # of which a world without categories to spare has the first alone
EVERYTHING = "all"  # every set below; those that are not there are named and left out
SHARES = (0.7, 0.1, 0.2)  # of a set that comes in one piece: training, validation and test
WITHIN = 0.1  # of a set's training part, for validation, where it has a test part of its own
URL = "://"  # in the name of a recording on a store of fsspec's
TURNTABLE = 4  # views of an object: each first one trains, each third one validates, those between them test
BY_FLAG = ({"train": True}, {"train": False})  # the arguments of torchvision's class for either part
BY_NAME = ({"split": "train"}, {"split": "test"})
SOURCES: dict[str, tuple[str, tuple[dict, dict]]] = {  # name: torchvision's class, and those arguments
    "cifar10": ("CIFAR10", BY_FLAG),
    "cifar100": ("CIFAR100", BY_FLAG),
    "fashion_mnist": ("FashionMNIST", BY_FLAG),
    "svhn": ("SVHN", BY_NAME),
    "stl10": ("STL10", BY_NAME),
}


def digits(settings, device) -> Task:
    """scikit-learn's 1,797 handwritten digits (8x8 grey), resized to (3, size, size); the split is always the same."""
    from sklearn.datasets import load_digits  # a second to import: not until it is needed

    data, size = load_digits(), settings.env.size
    images = torch.from_numpy(data.images).mul(255 / 16).round().to(torch.uint8)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    images = _sized(images[order, None].expand(-1, 3, -1, -1), size)
    labels = torch.from_numpy(data.target)[order]
    train, validation, test = map(LabelledImages, images.split(DIGITS_SPLIT), labels.split(DIGITS_SPLIT))
    return Task("digits", train, validation, test, 10)


MADE: dict[str, Callable[[Any, torch.device], Task]] = {  # need no file
    "digits": digits,
    "unseen_categories": unseen_categories,
    "moving_objects_dark": moving_objects_dark,
    "moving_objects": moving_objects,
    "moving_meshes": moving_meshes,
}
LATER: dict[str, Callable[[Any], None]] = {  # of these, those that are made when they are needed, and their checks
    "digits": lambda settings: None,
    "unseen_categories": check_unseen_categories,
    "moving_objects_dark": check_moving_objects_dark,
    "moving_objects": check_moving_objects,
}
KNOWN = (*MADE, *SOURCES, "coil100")
Maker = Callable[[], Task]


def check(settings, *, others: Sequence[str] = ()) -> None:
    """Checks before any work that `eval.transfer` can be found; `others` are names that may be given beside its own.

    Raises SettingError: an unknown name, path, folder.
    """
    names, root = settings.eval.transfer, settings.eval.data_root
    folder, sought = Path(root or "").expanduser(), any(name not in MADE and not _is_path(name) for name in names)
    if root and sought and not folder.is_dir():
        if folder.exists():
            raise SettingError(f"eval.data_root={folder} is no folder; give the one that holds the data sets")
        if not settings.eval.download:
            way_out = "give the folder that holds the data sets, or set eval.download=true"
            raise SettingError(f"eval.data_root={folder} isn't there; {way_out}")
    for name in names:
        if _is_path(name):
            if URL not in name and not Path(name).expanduser().exists():
                raise SettingError(f"eval.transfer=[{name}] isn't there; give a .npz, .npy, Zarr or folder of pictures")
        elif name not in (*KNOWN, EVERYTHING):
            raise unknown("eval.transfer", name, (*others, *KNOWN, EVERYTHING, "a path"))
        elif name in KNOWN and name not in MADE and not root:
            raise SettingError(
                f"eval.transfer=[{name}] is looked for in eval.data_root, which is not given; give a folder"
            )
    titles = [_title(name) for name in names]
    for title in titles:
        if titles.count(title) > 1:
            raise SettingError(f"eval.transfer names {title} twice, and scores go by that name; rename one of them")


def load_all(settings, device: torch.device) -> tuple[dict[str, Task], list[str]]:
    """A run's transfer tasks by name, and notes, a line each. Raises SettingError: a named set is absent or no set."""
    makers, notes = prepare_all(settings, device)
    tasks = {name: make() for name, make in makers.items()}
    return tasks, notes + notes_on(tasks)


def notes_on(tasks: Mapping[str, Task]) -> list[str]:
    """How the images of tasks were changed, a line for each that has such a note."""
    return [f"{name}: {task.note}" for name, task in tasks.items() if task.note]


def prepare_all(settings, device: torch.device) -> tuple[dict[str, Maker], list[str]]:
    """What makes each of a run's transfer tasks, and notes on those left out.

    Raises SettingError as `load_all` does: what comes from files has been read, what is rendered has yet to be.
    """
    makers, notes = {}, []
    for name in settings.eval.transfer:
        if name == DEFAULT[1] and tuple(settings.eval.transfer) == DEFAULT and not spares_categories(settings):
            continue
        if name != EVERYTHING:
            makers[_title(name)] = prepare(name, settings, device=device)
            continue
        for each in KNOWN:
            try:
                makers[each] = prepare(each, settings, device=device)
            except SettingError as error:
                notes.append(f"{each} is left out: {error}")
    return makers, notes


def prepare(name: str, settings, *, device: torch.device) -> Maker:
    """What makes the transfer task of this name or path. Raises as `load_all` does."""
    if name in LATER:
        LATER[name](settings)
        return partial(load, name, settings, device=device)
    task = load(name, settings, device=device)
    return lambda: task


def load(name: str, settings, *, device: torch.device) -> Task:
    """The transfer task of this name or path, at the size of the run's images. Raises as `load_all` does."""
    if name in MADE:
        return MADE[name](settings, device)
    if _is_path(name):
        parts = _split(*(_recording(name) if URL in name else _arrays(Path(name).expanduser())))
    elif not settings.eval.data_root:
        raise SettingError("eval.data_root is not given")
    else:
        parts = _named(name, Path(settings.eval.data_root).expanduser(), download=settings.eval.download)
    return _task(_title(name), parts, settings)


def _named(name: str, root: Path, *, download: bool) -> list[Pictures]:
    """A known set from the root folder: as arrays (NAME.npz, or NAME_train.npz and NAME_test.npz), or torchvision's."""
    arrays = next((path for path in (root / f"{name}_train.npz", root / f"{name}.npz") if path.exists()), None)
    if name == "coil100":
        if arrays is None:
            raise SettingError(
                f"eval.data_root={root} holds no coil100.npz (images, labels, in the order of the views)"
            )
        return _turntable(load_pictures(str(arrays), setting="eval.data_root"))
    if arrays:
        return _split(*_arrays(arrays))
    if download:
        root.mkdir(parents=True, exist_ok=True)
    dataset, parts = SOURCES[name]
    load_part = partial(load_pictures, setting="eval.data_root", absent="put it there first, or set eval.download=true")
    return _split(*(load_part(str(root), dataset, options=part | {"download": download}) for part in parts))


def _arrays(path: Path) -> tuple[Pictures, Pictures | None]:
    """Pictures and, where the name says train and a file beside it says test, those too; a recording by episode."""
    if (path / "zarr.json").exists() and "committed" in zarr.open_group(path, mode="r").attrs:
        return _recording(str(path))
    beside = path.with_name(re.sub("train", "test", path.name))
    test = load_pictures(str(beside), setting="eval.transfer") if beside != path and beside.exists() else None
    return load_pictures(str(path), setting="eval.transfer"), test


def _recording(path: str) -> tuple[Pictures, Pictures]:
    """Frames of a recorded stream, each checked; no episode gives to both parts."""
    recording = Recording(path, setting="eval.transfer")
    if "category" not in recording.facts["factors"]:
        raise SettingError(
            f"eval.transfer=[{path}] records no category, so it has no labels; record a world that tells it"
        )
    steps, worlds = (axis.ravel() for axis in np.indices((recording.committed, recording.worlds)))
    shown = ~recording.masked(steps, worlds)
    arrays = recording.gather(steps[shown], worlds[shown], names=["images", "factors/category", "episode"])
    episodes = np.unique(arrays["episode"])
    tested = np.random.default_rng(0).permutation(episodes)[: max(1, int(SHARES[2] * len(episodes)))]
    test = np.isin(arrays["episode"], tested)
    images, labels = arrays["images"], arrays["factors/category"]
    return Pictures(images[~test], labels[~test]), Pictures(images[test], labels[test])


def _split(pool: Pictures, test: Pictures | None) -> list[Pictures]:
    """Training, validation and test pictures, the same every time."""
    order = np.random.default_rng(0).permutation(len(pool.images))
    shares = [SHARES[0], sum(SHARES[:2])] if test is None else [1 - WITHIN]
    rows = np.split(order, [int(share * len(order)) for share in shares])
    parts = [pool._replace(images=pool.images[part], labels=pool.labels[part]) for part in rows]
    return parts + ([test] if test else [])


def _turntable(pool: Pictures) -> list[Pictures]:
    """Training views 20 degrees apart, validation views half-way between them, test views in the middle of those."""
    view = (ranks(torch.from_numpy(pool.labels)) % TURNTABLE).numpy()
    return [Pictures(pool.images[rows], pool.labels[rows]) for rows in (view == 0, view == 2, view % 2 == 1)]


def _task(name: str, parts: list[Pictures], settings) -> Task:
    """At most as many pictures of each part as of the world's own, at the size of its images, labels counted from 0."""
    kinds, size, splits = np.unique(parts[0].labels), settings.env.size, []
    for part, pictures in zip(("train", "validation", "test"), parts, strict=True):
        which = f"eval.transfer=[{name}]: its {part.replace('train', 'training')} pictures have"
        if len(np.unique(pictures.labels)) < 2:
            raise SettingError(f"{which} no labels, or one class only")
        if not np.isin(pictures.labels, kinds).all():
            raise SettingError(f"{which} classes that none trains on")
        few = np.sort(np.random.default_rng(1).permutation(len(pictures.images))[: settings.eval[part]])
        images = torch.from_numpy(pictures.images[few]).permute(0, 3, 1, 2)
        labels = numbered(torch.from_numpy(pictures.labels[few]), kinds.tolist())
        splits.append(LabelledImages(_sized(images, size), labels))
    was = parts[0].images
    notes = [] if was.shape[1:3] == (size, size) else [f"{was.shape[2]}x{was.shape[1]} resized to {size}x{size}"]
    notes += parts[0].notes
    notes += ["grey, shown in three equal channels"] if (was[..., 0] == was[..., 1]).all() else []
    train, validation, test = splits
    return Task(name, train, validation, test, len(kinds), "; ".join(notes), kinds.tolist())


def _sized(images: Tensor, size: int) -> Tensor:
    """(M, 3, H, W) uint8 to (M, 3, size, size), as torchvision would."""
    if images.shape[2:] == (size, size):
        return images
    return interpolate(images, [size, size], mode="bilinear", antialias=True)


def _is_path(name: str) -> bool:
    if "/" in name or "\\" in name or Path(name).suffix in (".npz", ".npy", ".zarr"):
        return True
    return name not in (*KNOWN, EVERYTHING) and Path(name).expanduser().exists()


def _title(name: str) -> str:
    """What the scores of a set are called: of a path, its last part less the suffix."""
    return Path(name).stem if _is_path(name) else name
