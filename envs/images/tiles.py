"""Many images as one picture."""

import numpy as np


def tile(images: np.ndarray, *, scale: int = 1, gap: int = 0, fill: int = 255) -> np.ndarray:
    """One picture (h, w, C) of images (rows, columns, H, W, C), each `scale` times as large, `gap` pixels apart."""
    images = images.repeat(scale, 2).repeat(scale, 3)
    framed = np.pad(images, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=fill)
    rows, columns, height, width, channels = framed.shape
    whole = framed.swapaxes(1, 2).reshape(rows * height, columns * width, channels)
    return whole[: rows * height - gap, : columns * width - gap]
