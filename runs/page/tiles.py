"""Many small images as one PNG that a page carries within itself."""

import base64
import io

import numpy as np
from PIL import Image

from envs.images.tiles import tile


def mosaic(images: np.ndarray, *, columns: int | None = None, scale: int = 3, gap: int = 1, fill: int = 0) -> str:
    """A PNG as a data URI of images (rows, columns, H, W, 3) uint8, enlarged, with transparent gaps.

    With `columns`, images (M, H, W, 3) are laid out in as many rows as they need, the last one filled up.
    """
    if columns:
        whole = np.pad(images, [(0, -len(images) % columns), *[(0, 0)] * 3], constant_values=fill)
        images = whole.reshape(-1, columns, *images.shape[1:])
    opaque = np.pad(images, [(0, 0)] * 4 + [(0, 1)], constant_values=255)
    buffer = io.BytesIO()
    Image.fromarray(tile(opaque, scale=scale, gap=scale * gap, fill=0)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
