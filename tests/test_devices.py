"""On any device: no update, pair or frame waits for it, and nothing meets a tensor of another device.

Torch's meta device computes shapes and no numbers: whoever asks it for a number, as one who waits for a GPU does, gets
an error, and so does who mixes its tensors with the CPU's.
"""

from itertools import islice, product

import numpy as np
import pytest
import torch

from envs.moving_images import MovingImagesVector
from envs.moving_objects import MovingObjectsVector
from learners import steps, target_prop
from learners.parts import learner_of
from runs.settings import read
from streams.augment import KINDS
from streams.live import Live
from streams.moments import Moments
from streams.pairing import build_pairs
from streams.seeding import generator
from streams.types import Pairs

META = torch.device("meta")
WORLDS, SIZE = 6, 32
RULES = ("bp", "rf", "urf", "sign", "dgl", "gll", "gll_rf", "rll", "rll_rf", "dtp", "dtp_ldrl", "none")
LOSSES = ("hinge", "hinge_blocked", "hinge_remembered", "ntxent", "clapp", "barlow_twins", "vicreg")


@pytest.fixture(autouse=True)
def on_meta(monkeypatch):
    """What meta has not, and every GPU has: a fused optimiser, a generator of its own, and our renderer."""
    monkeypatch.setattr("runs.settings.device", lambda settings: META)
    monkeypatch.setattr(steps, "FUSED", ())
    monkeypatch.setattr(target_prop, "generator", lambda *name, device=None: generator(*name))
    monkeypatch.setattr(
        "envs.moving_objects.render",
        lambda scene, now, settings, pictures: torch.empty(
            len(scene.category), settings.size, settings.size, 3, dtype=torch.uint8, device=scene.category.device
        ),
    )


def views(rows=8):
    return torch.empty(rows, 3, SIZE, SIZE, device=META).contiguous(memory_format=torch.channels_last)


def batch(*, remembered):
    first = None if remembered else views()
    return Pairs(first, views(), torch.ones(8, dtype=torch.int64), torch.arange(8), 8)


@pytest.mark.parametrize(("rule", "loss"), [*product(RULES, LOSSES[:1]), *product(("bp", "dgl", "dtp"), LOSSES[1:])])
def test_an_update_stays_on_its_device_and_waits_for_nothing(rule, loss):
    learner = learner_of(read([f"learner={rule}", f"loss={loss}"]))
    for _ in range(3):
        report = learner.update(batch(remembered=loss == "hinge_remembered"))
    assert all(parameter.is_meta for parameter in learner.network.parameters())
    assert rule == "none" or report["loss"].is_meta


@pytest.mark.parametrize("network", ["conv6", "vgg6"])
def test_so_do_other_networks(network):
    learner = learner_of(read([f"network={network}", "learner=dgl"]))
    assert learner.update(batch(remembered=False))["loss"].is_meta
    assert learner.encode(views()).is_meta


def objects(**settings):
    return MovingObjectsVector(WORLDS, size=SIZE, episode_length=5, device=META, **settings)


def images(tmp_path, **settings):
    path = tmp_path / "pictures.npz"
    np.savez(path, images=np.zeros((40, SIZE, SIZE, 3), np.uint8), labels=np.arange(40) % 4)
    return MovingImagesVector(WORLDS, size=SIZE, episode_length=5, path=str(path), device=META, **settings)


@pytest.mark.parametrize("stagger", [False, True])
@pytest.mark.parametrize("drift", ["none", "categories", "day_night"])
@pytest.mark.parametrize("kind", ["objects", "images"])
def test_a_step_of_worlds_stays_on_its_device_and_waits_for_nothing(tmp_path, kind, drift, stagger):
    told = {"drift": drift, "stagger": stagger}
    world = objects(occluder=True, second_light=True, **told) if kind == "objects" else images(tmp_path, **told)
    world.reset(seed=0)
    for _ in range(12):
        frames, *_, info = world.step(torch.zeros(WORLDS, 2, device=META))
        assert frames.is_meta
        assert [name for name, of in info.items() if not of.is_meta] == ["encounter"]


@pytest.mark.parametrize("memory", ["none", "fifo", "reservoir"])
@pytest.mark.parametrize(
    "pairs",
    [{"name": "temporal", "gap_law": "uniform", "symmetric": True}]
    + [{"name": name, "views": kind} for name in ("augmentation", "both") for kind in KINDS],
)
def test_pairs_stay_on_their_device_and_wait_for_nothing(pairs, memory):
    kept = {"name": memory, "updates": 2} | ({} if memory == "none" else {"capacity": 24})
    source = Live(objects(stagger=True), gaze="saccades", seed=0)
    for found in islice(build_pairs(source, pairs=pairs | {"gap": 2}, memory=kept, worlds=WORLDS), 12):
        assert [of.is_meta for of in (found.first, found.second, found.gap, found.episode)] == [
            True,
            True,
            False,
            False,
        ]


def test_so_do_moments():
    for found in islice(Moments(Live(objects(), gaze="pursuit", seed=0), gap=1), 8):
        assert found.second.is_meta
