"""Moving pictures: animations that every browser and notebook shows."""

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image


def gif(pictures: Iterable[np.ndarray], *, fps: float) -> bytes:
    """An animation without end, as a GIF file, of pictures (h, w, 3) uint8."""
    first, *others = map(Image.fromarray, pictures)
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0)
    return file.getvalue()
