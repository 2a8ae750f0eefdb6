"""Augmentations of images (B, 3, H, W) float32 in [0, 1] to views, in one pass on their device.

Parameters are drawn on the CPU from the generator given, so that views are a function of it and no other draw; then the
whole batch is warped and coloured at once. Operations are Kornia's with Kornia's formulas; where its own are slow
(`RandomResizedCrop` slices image by image, the hue goes by way of HSV) they are written anew and tested against it.
"""

from collections.abc import Callable
from math import log

import torch
from kornia.color import rgb_to_grayscale
from kornia.enhance import (
    adjust_brightness_accumulative,
    adjust_contrast_with_mean_subtraction,
    adjust_saturation_with_gray_subtraction,
)
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from envs.devices import upload
from envs.errors import unknown
from envs.moving_images import WAVES, illuminate, recolor
from streams.seeding import rand_rows

AREA, RATIO, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10  # of a crop: share of the image, width / height
JITTER, HUE = 0.4, 0.1  # SimCLR's colour distortion at the strength 0.5 that it uses on small pictures
JITTERED, GREYED, FLIPPED = 0.8, 0.2, 0.5  # shares of the views


def tang2022(images: Tensor, draws: torch.Generator) -> Tensor:
    """Affine warps, saturation, hue and flips of Tang, Yang and Amit (2022), section 2.1.

    The affine matrix, from view to image, is I + U(-.25, .25), translations doubled; saturation is multiplied by
    2^U(-2, 2), the hue turned by U(-.1, .1), half of the views are flipped. Colours change as in MovingImages-v0.
    """
    matrix, saturation, hue = _tang2022(images, draws)
    warped = _warped(images, matrix, padding_mode="border")
    return recolor(warped, upload(saturation, images.device), upload(hue, images.device))


def tang2022_conv4(images: Tensor, draws: torch.Generator) -> Tensor:
    """The same with the colour change of the authors' code for conv4, by HSV, which keeps the value."""
    matrix, saturation, hue = _tang2022(images, draws)
    return _recolor_hsv(_warped(images, matrix, padding_mode="border"), saturation, hue)


def tang2022_conv6(images: Tensor, draws: torch.Generator) -> Tensor:
    """As in the authors' code for conv6: half of the views are warped, black lies beyond edges, colours are HSV's."""
    matrix, saturation, hue = _tang2022(images, draws)
    flipped = torch.eye(2, 3).expand(len(images), -1, -1).clone()
    flipped[:, 0, 0] = matrix[:, 0, 0].sign()
    matrix = torch.where(_chance(0.5, len(images), draws)[:, None, None], matrix, flipped)
    return _recolor_hsv(_warped(images, matrix, padding_mode="zeros"), saturation, hue)


def _tang2022(images: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices (B, 2, 3) from view to image, the exponents of saturation (B,) and the turns of the hue (B,)."""
    count = len(images)
    matrix = torch.eye(2, 3) + _waves(("xx", "xy", "x", "yx", "yy", "y"), count, draws).reshape(count, 2, 3)
    saturation, hue = _waves(("saturation", "hue"), count, draws).unbind(1)
    matrix[:, :, 0] *= _flips(count, draws)[:, None]
    return matrix, saturation, hue


def _warped(images: Tensor, matrix: Tensor, *, padding_mode: str) -> Tensor:
    grid = affine_grid(upload(matrix, images.device), list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode=padding_mode, align_corners=False)


def _recolor_hsv(images: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """HSV's saturation times 2^`saturation` (B,), at most 1, and its hue turned by `hue` (B,), at the same value."""
    value = images.amax(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    times = upload(2**saturation, images.device)[:, None, None, None]
    times = torch.minimum(times, value / chroma.clamp_min(1e-12))  # at a saturation of 1
    return turn_hue((value - (value - images) * times).clamp_min(0), upload(hue, images.device)).clamp_(0, 1)


def simclr(images: Tensor, draws: torch.Generator) -> Tensor:
    """The views of SimCLR (Chen et al. 2020, appendix B.9) for small pictures, which are not blurred.

    Crops of 8 to 100 % of the image, flips, colour jitter (brightness, contrast, saturation .4, hue .1, in an order
    drawn for the batch) in 80 %, grey in 20 % of the views: Kornia's RandomResizedCrop, RandomHorizontalFlip,
    ColorJitter and RandomGrayscale.
    """
    count = len(images)
    views = crops(images, draws)
    order = torch.randperm(4, generator=draws).tolist()
    departures = _signed(count, 4, draws) * _chance(JITTERED, count, draws)[:, None]
    brightness, contrast, saturation, hue = upload(departures, images.device).unbind(1)
    greyed = upload(_chance(GREYED, count, draws), images.device)
    steps = (
        lambda x: adjust_brightness_accumulative(x, 1 + JITTER * brightness),
        lambda x: adjust_contrast_with_mean_subtraction(x, 1 + JITTER * contrast),
        lambda x: adjust_saturation_with_gray_subtraction(x, 1 + JITTER * saturation),
        lambda x: turn_hue(x, HUE * hue),
    )
    for step in order:
        views = steps[step](views)
    return torch.where(greyed[:, None, None, None], rgb_to_grayscale(views), views)


def crops(images: Tensor, draws: torch.Generator) -> Tensor:
    """SimCLR's crops and flips only."""
    boxes = crop_boxes(len(images), images.shape[-1], draws)
    return crop(images, upload(boxes, images.device), upload(_flips(len(images), draws), images.device))


def lighting(images: Tensor, draws: torch.Generator) -> Tensor:
    """Light only: its strength and its fall across the view, in the ranges of MovingImages-v0."""
    light = upload(_waves(("brightness", "gradient_x", "gradient_y"), len(images), draws), images.device)
    return illuminate(images, light[:, 0], light[:, 1:])


def unchanged(images: Tensor, draws: torch.Generator) -> Tensor:
    """The images as they are, for rules that learn from pictures one by one."""
    return images


KINDS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    one.__name__: one for one in (tang2022, tang2022_conv4, tang2022_conv6, simclr, crops, lighting, unchanged)
}


def views(kind: str) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The augmentation of that name: (images, draws) to images of the same shape. Raises SettingError: no such kind."""
    if kind not in KINDS:
        raise unknown("pairs.views", kind, KINDS)
    return KINDS[kind]


def crop_boxes(count: int, size: int, draws: torch.Generator) -> Tensor:
    """(count, 4) x, y, width, height in whole pixels of crops of square images, drawn as RandomResizedCrop does.

    Of ten candidates, uniform in area and in the logarithm of the ratio, the first that fits; the whole image where
    none does.
    """
    area = size**2 * (AREA[0] + (AREA[1] - AREA[0]) * rand_rows(count, TRIES, draws=draws))
    ratio = (log(RATIO[0]) + log(RATIO[1] / RATIO[0]) * rand_rows(count, TRIES, draws=draws)).exp()
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 2).round()  # (count, TRIES, 2)
    fits = ((sides > 0) & (sides <= size)).all(2)
    first = sides[torch.arange(count), fits.int().argmax(1)]
    sides = torch.where(fits.any(1, keepdim=True), first, float(size))
    corner = (rand_rows(count, 2, draws=draws) * (size - sides + 1)).floor()
    return torch.cat([corner, sides], 1)


def crop(images: Tensor, boxes: Tensor, flips: Tensor) -> Tensor:
    """Boxes (B, 4) of images (B, 3, S, S), resized to S x S with corners aligned, flipped where `flips` (B,) is -1."""
    last = images.shape[-1] - 1
    corner, extent = boxes[:, :2], boxes[:, 2:] - 1
    matrix = images.new_zeros(len(images), 2, 3)  # from view to image, in half-widths
    matrix[:, 0, 0], matrix[:, 1, 1] = extent[:, 0] / last * flips, extent[:, 1] / last
    matrix[:, :, 2] = (2 * corner + extent) / last - 1
    grid = affine_grid(matrix, list(images.shape), align_corners=True)
    return grid_sample(images, grid, padding_mode="border", align_corners=True)


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """HSV's hue of images (B, 3, H, W) turned by `turns` (B,); Kornia's `adjust_hue` without its conversions."""
    red, green, blue = images.unbind(1)
    top = torch.maximum(torch.maximum(red, green), blue)
    chroma = top - torch.minimum(torch.minimum(red, green), blue)
    some = chroma.clamp_min(1e-12)
    sixths = torch.where(
        red == top, (green - blue) / some, torch.where(green == top, (blue - red) / some + 2, (red - green) / some + 4)
    )
    hue = sixths.add_(6 * turns[:, None, None])
    hue -= 6 * torch.floor(hue / 6)  # far faster than a remainder
    share = torch.stack([(hue - 3).abs_() - 1, 2 - (hue - 2).abs_(), 2 - (hue - 4).abs_()], 1).clamp_(0, 1)
    return share.sub_(1).mul_(chroma[:, None]).add_(top[:, None])


def _waves(names: tuple[str, ...], count: int, draws: torch.Generator) -> Tensor:
    """(count, len(names)): the waves of MovingImages-v0 with these names, uniform over their ranges."""
    return torch.tensor([WAVES[name][1] for name in names]) * _signed(count, len(names), draws)


def _signed(rows: int, columns: int, draws: torch.Generator) -> Tensor:
    return 2 * rand_rows(rows, columns, draws=draws) - 1


def _chance(share: float, count: int, draws: torch.Generator) -> Tensor:
    return rand_rows(count, draws=draws) < share


def _flips(count: int, draws: torch.Generator) -> Tensor:
    return torch.where(_chance(FLIPPED, count, draws), -1.0, 1.0)
