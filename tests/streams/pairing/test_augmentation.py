"""Views against Kornia: each operation at equal parameters, and the pipeline as a distribution."""

import math

import kornia.augmentation as kornia
import pytest
import torch
from kornia.augmentation.random_generator import ResizedCropGenerator
from kornia.color import hsv_to_rgb, rgb_to_hsv
from kornia.enhance import adjust_hue
from kornia.geometry.transform import crop_by_indices, hflip, warp_affine

from envs.errors import SettingError
from streams.pairing import augmentation as augment
from streams.seeding import generator

DRAWN = [kind for kind in augment.KINDS if kind != "unchanged"]


def pictures(count=64, size=16):
    """Broad patches of colour with some noise."""
    draws = torch.Generator().manual_seed(1)
    broad = torch.rand(count, 3, size // 4, size // 4, generator=draws)
    broad = broad.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return (broad + 0.2 * torch.rand(count, 3, size, size, generator=draws)).clamp(0, 1)


@pytest.mark.parametrize("kind", DRAWN)
def test_views_are_a_function_of_seed_and_step_whatever_else_drew(kind):
    images, view = pictures(), augment.views(kind)
    first = view(images, generator(0, "views", 3))
    torch.manual_seed(99)
    torch.rand(5)
    state = torch.get_rng_state()
    assert torch.equal(first, view(images, generator(0, "views", 3)))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, view(images, generator(0, "views", 4)))
    assert not torch.equal(first, view(images, generator(1, "views", 3)))


@pytest.mark.parametrize("kind", DRAWN)
def test_every_view_is_its_own_draw_within_the_range_of_images(kind):
    images = pictures(1).expand(32, -1, -1, -1)
    views = augment.views(kind)(images, generator(0, "views"))
    assert views.shape == images.shape
    assert 0 <= views.min() < views.max() <= 1
    assert len(views.flatten(1).unique(dim=0)) == 32


def test_a_crop_is_kornias_at_equal_boxes():
    images, draws = pictures(), torch.Generator().manual_seed(0)
    boxes, flips = augment.crop_boxes(64, 16, draws), torch.where(torch.rand(64, generator=draws) < 0.5, -1.0, 1.0)
    x, y, width, height = boxes.unbind(1)
    right, low = x + width - 1, y + height - 1
    corners = torch.stack([torch.stack(p, 1) for p in ((x, y), (right, y), (right, low), (x, low))], 1)  # (B, 4, 2)
    theirs = crop_by_indices(images, corners, (16, 16), interpolation="bilinear", align_corners=True)
    theirs = torch.where(flips[:, None, None, None] < 0, hflip(theirs), theirs)
    assert torch.allclose(augment.crop(images, boxes, flips), theirs, atol=1e-5)


def test_a_turned_hue_is_kornias_for_greys_and_ties_too():
    turns = torch.linspace(-0.5, 0.5, 64)
    for images in (pictures(), (pictures() * 2).round() / 2, torch.full((64, 3, 4, 4), 0.5), torch.zeros(64, 3, 4, 4)):
        assert torch.allclose(augment.turn_hue(images, turns), adjust_hue(images, 2 * math.pi * turns), atol=1e-5)


def test_the_papers_warp_is_kornias_at_the_matrix_drawn(monkeypatch):
    images = pictures()
    monkeypatch.setattr(augment, "recolor", lambda warped, *_: warped)
    views = augment.tang2022(images, generator(0, "views"))
    draws = generator(0, "views")
    reach = torch.tensor([0.25, 0.25, 0.5, 0.25, 0.25, 0.5])
    matrix = torch.eye(2, 3) + (reach * (2 * torch.rand(64, 6, generator=draws) - 1)).reshape(-1, 2, 3)
    torch.rand(64, 2, generator=draws)
    flipped = torch.rand(64, generator=draws) < 0.5
    half = torch.tensor([[8.0, 0, 7.5], [0, 8, 7.5], [0, 0, 1]])  # from half-widths to pixels, edges at +-1
    whole = torch.cat([matrix, torch.tensor([0.0, 0, 1]).expand(64, 1, 3)], 1)
    pixels = (half @ whole @ half.inverse()).inverse()[:, :2]
    theirs = warp_affine(images, pixels, (16, 16), padding_mode="border", align_corners=True)
    theirs = torch.where(flipped[:, None, None, None], hflip(theirs), theirs)
    assert torch.allclose(views, theirs, atol=1e-4)


def test_simclrs_crops_are_distributed_as_kornias():
    ours = augment.crop_boxes(20_000, 32, generator(0, "boxes"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = ResizedCropGenerator((32, 32), (0.08, 1.0), (3 / 4, 4 / 3))((20_000, 3, 32, 32))["src"]
    low, high = theirs[:, 0], theirs[:, 2]
    theirs = torch.cat([low, high - low + 1], 1)
    for mine, other in zip(ours.unbind(1), theirs.unbind(1), strict=True):
        assert distance(mine, other) < 0.02
    assert distance(ours[:, 2] / ours[:, 3], theirs[:, 2] / theirs[:, 3]) < 0.02


def test_simclrs_views_are_distributed_as_kornias():
    image = pictures(1)
    pipeline = torch.nn.Sequential(
        kornia.RandomResizedCrop((16, 16), scale=augment.AREA, ratio=augment.RATIO),
        kornia.RandomHorizontalFlip(p=0.5),
        kornia.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        kornia.RandomGrayscale(p=0.2),
    )
    batches = [image.expand(50, -1, -1, -1)] * 100  # many, because an order of colours is drawn for each
    ours = torch.cat([augment.simclr(batch, generator(0, "views", step)) for step, batch in enumerate(batches)])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torch.cat([pipeline(batch) for batch in batches])
    for measure in measures():
        assert distance(measure(ours), measure(theirs)) < 0.05


def measures():
    """Numbers that describe a view, one function each: (B, 3, H, W) to (B,)."""
    yield from (lambda x, c=c: x[:, c].mean((1, 2)) for c in range(3))
    yield lambda x: x.std((1, 2, 3))
    yield lambda x: (x.amax(1) - x.amin(1)).mean((1, 2))  # colourfulness
    yield lambda x: x[:, :, 2, 3].sum(1)
    yield lambda x: (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))
    yield lambda x: (x[..., :8] - x[..., 8:]).mean((1, 2, 3))


def distance(a, b):
    """Kolmogorov and Smirnov's: the most by which two samples' distribution functions differ."""
    both = torch.cat([a, b]).sort().values
    at = [torch.searchsorted(part.sort().values, both, right=True) / len(part) for part in (a, b)]
    return float((at[0] - at[1]).abs().max())


def test_the_papers_colours_and_light_alone_leave_shapes_and_crops_leave_colours():
    grey = torch.full((32, 3, 16, 16), 0.5)
    assert torch.allclose(augment.crops(grey, generator(0, "v")), grey, atol=1e-6)
    assert torch.allclose(augment.tang2022(grey, generator(0, "v")), grey, atol=1e-5)
    lit = augment.lighting(grey, generator(0, "v"))
    assert lit.std((1, 2, 3)).min() > 0
    assert torch.allclose(lit[:, 0], lit[:, 1])


def test_an_unknown_kind_is_named():
    with pytest.raises(SettingError, match=r"pairs.views=simclrr is unknown; did you mean simclr\?"):
        augment.views("simclrr")


def test_views_may_be_left_unchanged():
    images = pictures(2)
    assert augment.views("unchanged")(images, generator(0, "views")) is images


def test_the_authors_colours_are_kornias_by_hsv():
    images, saturation, hue = pictures(3), torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.1, -0.05, 0.0])
    h, s, v = rgb_to_hsv(images).unbind(1)
    expected = torch.stack(
        [h + 2 * torch.pi * hue[:, None, None], (s * 2 ** saturation[:, None, None]).clamp(0, 1), v], 1
    )
    assert torch.allclose(augment._recolor_hsv(images, saturation, hue), hsv_to_rgb(expected), atol=1e-4)


def test_the_authors_conv6_warps_half_of_the_views_with_black_beyond_the_edges():
    views = augment.views("tang2022_conv6")(torch.ones(400, 3, 8, 8), generator(0, "views"))
    warped = (views.amin((1, 2, 3)) < 0.5).float().mean()
    assert 0.35 < warped < 0.55
