"""Every category is a thing of several parts, large enough to see, and no two of its instances are alike."""

from dataclasses import astuple

import numpy as np
import pytest
import torch

from envs.rendering.render import ground_truth
from envs.rendering.snapshot import snapshot
from envs.scene.categories import CATEGORIES
from envs.scene.motion import HALF_VIEW
from envs.scene.objects import KINDS, MAX_PARTS, PALETTE, Objects, assemble
from envs.scene.random import Draws
from envs.scene.sampling import Episode, draw_scene
from envs.scene.settings import SceneSettings

INSTANCES = 64
KNOWN = list(CATEGORIES.values())
NUMBERS = pytest.mark.parametrize("number", range(len(KNOWN)), ids=list(CATEGORIES))


def instances_of(number: int, count: int = INSTANCES) -> Objects:
    return assemble(KNOWN, np.full(count, number), np.arange(count))


def half_extents(objects: Objects) -> np.ndarray:
    """(M, P, 3) of the parts along their own axes; NaN for missing parts."""
    half = 1 / np.linalg.norm(objects.inverse, axis=3)
    half[objects.radius == 0] = np.nan
    return half


def test_there_are_twenty_four_and_their_names_are_their_functions():
    assert len(CATEGORIES) == 24
    assert all(name == function.__name__ for name, function in CATEGORIES.items())


@NUMBERS
def test_every_instance_has_three_to_ten_parts(number):
    present = (instances_of(number).radius > 0).sum(1)
    assert present.min() >= 3
    assert present.max() <= MAX_PARTS


@NUMBERS
def test_parts_are_of_known_kinds_and_tapers_and_use_the_colours_there_are(number):
    parts = KNOWN[number](Draws(np.arange(INSTANCES, dtype=np.uint64)))
    assert {part.kind for part in parts} <= set(KINDS)
    assert {0} < {part.color for part in parts} <= set(range(PALETTE))
    for part in parts:
        x, z = (np.broadcast_to(taper, INSTANCES) for taper in part.taper)
        assert min(x.min(), z.min()) > -1
        assert max(x.max(), z.max()) <= 1


@NUMBERS
def test_proportions_differ_between_instances(number):
    half = half_extents(instances_of(number)).reshape(INSTANCES, -1)
    half = half[:, ~np.isnan(half).any(0)]  # of the parts that all instances have
    ratios = half[:, :, None] / half[:, None, :]  # (M, D, D) free of size
    low, high = np.quantile(ratios, [0.05, 0.95], axis=0)
    assert (high / low).max() > 1.6  # nine instances in ten spread over some +-25 %
    assert len(np.unique(ratios.round(6), axis=0)) == INSTANCES


@NUMBERS
def test_no_part_is_too_thin_to_see(number):
    objects = instances_of(number, 256)
    assert np.nanmin(half_extents(objects) / objects.bound[:, None, None]) > 0.044  # of the whole's diameter


@NUMBERS
def test_a_name_is_never_drawn_with_two_meanings(number, monkeypatch):
    meanings, uniform = {}, Draws.uniform

    def recorded(self, name, low=0.0, high=1.0, count=None):
        assert meanings.setdefault(name, (low, high, count)) == (low, high, count), name
        return uniform(self, name, low, high, count)

    monkeypatch.setattr(Draws, "uniform", recorded)
    instances_of(number, 2)  # with its palette and its material, which are drawn from the same keys


def test_an_object_does_not_depend_on_the_rows_it_came_with():
    category = np.tile(np.arange(len(KNOWN)), 3)
    instance = np.repeat([0, 7, 1 << 40], len(KNOWN))
    together = assemble(KNOWN, category, instance)
    order = np.random.default_rng(0).permutation(len(category))[:30]
    shuffled = assemble(KNOWN, category[order], instance[order])
    for mine, theirs in zip(astuple(together), astuple(shuffled), strict=True):
        np.testing.assert_array_equal(mine[order], theirs)


def test_silhouettes_are_of_similar_size_so_that_size_does_not_tell_the_category():
    category = np.repeat(np.arange(len(KNOWN)), INSTANCES)
    settings = SceneSettings(size=32, categories=len(KNOWN))
    numbers = np.arange(len(category))
    scene = draw_scene(Episode(Draws(numbers.astype(np.uint64)), category, numbers), settings)
    now = snapshot(scene, torch.zeros(len(category)), torch.zeros(len(category), 2), settings)
    now.place[:, 0] = torch.tensor([0.0, 0.0, -5.0])
    areas = (ground_truth(scene, now, settings).mask == 1).double().mean((1, 2)).numpy() * (2 * HALF_VIEW * 5) ** 2
    area = areas.reshape(len(KNOWN), INSTANCES).mean(1)
    assert 1.5 < area.mean() < 3
    assert (np.abs(np.log(area / area.mean())) < np.log(1.35)).all(), dict(zip(CATEGORIES, area.round(2), strict=True))
