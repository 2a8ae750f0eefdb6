"""Many small images as one PNG that a page carries within itself."""

import base64
import io

import numpy as np
from PIL import Image

from envs.images.tiles import tile


def mosaic(images: np.ndarray, *, scale: int = 3, gap: int = 1) -> np.ndarray:
    """Images (rows, columns, H, W, 3) uint8 as one (H', W', 4), enlarged, with transparent gaps."""
    opaque = np.pad(images, [(0, 0)] * 4 + [(0, 1)], constant_values=255)
    return tile(opaque, scale=scale, gap=scale * gap, fill=0)


def data_uri(image: np.ndarray) -> str:
    """A PNG as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
