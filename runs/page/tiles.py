"""Many small images as one PNG that a page carries within itself."""

import base64
import io

import numpy as np
from PIL import Image


def mosaic(images: np.ndarray, *, scale: int = 3, gap: int = 1) -> np.ndarray:
    """Images (rows, columns, H, W, 3) uint8 as one (H', W', 4), enlarged, with transparent gaps."""
    rows, columns, height, width, _ = images.shape
    whole = np.zeros((rows, height + gap, columns, width + gap, 4), np.uint8)
    whole[:, :height, :, :width, :3] = images.transpose(0, 2, 1, 3, 4)
    whole[:, :height, :, :width, 3] = 255
    whole = whole.reshape(rows * (height + gap), columns * (width + gap), 4)
    whole = whole[: len(whole) - gap, : whole.shape[1] - gap]
    return whole.repeat(scale, 0).repeat(scale, 1)


def data_uri(image: np.ndarray) -> str:
    """A PNG as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
