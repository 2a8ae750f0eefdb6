"""Data sets as torchvision finds them on a disk, of a few frames."""

import pickle

import numpy as np
from torchvision.datasets import CIFAR10


def fake_cifar10(path, monkeypatch):
    """Ten training images of CIFAR-10, labelled 3, 7, 3, 7, ...; the images (10, 32, 32, 3)."""
    base = path / "cifar-10-batches-py"
    base.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (10, 3072), np.uint8)
    for number, (name, _) in enumerate(CIFAR10.train_list):
        pair = images[2 * number : 2 * number + 2]
        (base / name).write_bytes(pickle.dumps({"data": pair, "labels": [3, 7]}))
    (base / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    return images.reshape(10, 3, 32, 32).transpose(0, 2, 3, 1)
