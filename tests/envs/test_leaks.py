"""What should not tell the category does not: colour, size and background, with default settings, on test instances."""

import pytest
import torch

from envs.moving_objects import MovingObjectsVector
from runs.evaluation.features import PLAIN, LabelledImages, Task, majority_class
from runs.evaluation.probes.registry import linear_probe

COUNTS = {"train": 4000, "validation": 1000, "test": 3000}
ALLOWED = 0.08  # above chance
CPU = torch.device("cpu")
_, mean_colour = PLAIN.values()


def areas(world):
    """(N, 3, 1, 1) share of the frame that the object takes, as an image of one grey pixel."""
    share = (world.ground_truth().mask == 1).float().mean((1, 2))
    return (255 * share).round().byte()[:, None, None, None].expand(-1, 3, 1, 1)


def backgrounds(world):
    """(N, 3, H, W) the same rooms without the object and without its shadow."""
    world.scene.radius.zero_()
    return world._render(torch.from_numpy(world.age).float())[0].permute(0, 3, 1, 2)


def frames(world):
    return world._image.permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def worlds():
    splits = {}
    for number, (split, count) in enumerate(COUNTS.items()):
        splits[split] = MovingObjectsVector(count, split=split, stagger=True)
        splits[split].reset(seed=10_000 * number)  # no world, hence no background, is in two splits
    return splits


def by_area(images):
    """Size and its powers, since what is linear in the area alone could hardly tell twelve categories."""
    share = images[:, 0].flatten(1)
    return torch.cat([share**power for power in (1, 2, 3, 4)], 1)


# in this order, for the last takes the object away
@pytest.mark.parametrize(
    ("show", "encode"),
    [(frames, mean_colour), (areas, by_area), (backgrounds, mean_colour), (backgrounds, lambda x: x.flatten(1))],
    ids=["mean colour", "object area", "background's mean colour", "background's pixels"],
)
def test_what_should_not_tell_the_category_is_within_eight_points_of_chance(worlds, show, encode):
    parts = [LabelledImages(show(world), world.scene.category) for world in worlds.values()]
    task = Task("leak", *parts, classes=12)
    assert linear_probe(encode, task, device=CPU)["top1"] - majority_class(task) <= ALLOWED


def test_the_same_probe_finds_what_is_there(worlds):
    """The pixels of the object itself do tell it: the check above can fail."""
    for number, world in enumerate(worlds.values()):
        world.reset(seed=10_000 * number)
    parts = [
        LabelledImages(255 * (world.ground_truth().mask == 1).byte()[:, None], world.scene.category)
        for world in worlds.values()
    ]
    task = Task("silhouettes", *parts, classes=12)
    assert linear_probe(lambda x: x.flatten(1), task, device=CPU)["top1"] - majority_class(task) > 0.15
