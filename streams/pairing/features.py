"""What an encoder of the user's own gives, held to what features are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.arguments import a_kind
from envs.command.startup_errors import of_memory
from envs.errors import SettingError
from streams.process.modes import eval_mode

WANTED = "give features (B, D), flattened or pooled"


class FeaturesOf:
    """An encoder, whose features are checked and float32 on the images' device; arrays are taken for tensors.

    A module is used as in `eval()`, and is afterwards as it was.

    Raises SettingError: the encoder raises an error, or gives something else than finite features (B, D), the same D
    each time.
    """

    def __init__(self, encode: Callable[[Tensor], Any]):
        self.encode, self.width = encode, 0

    def __call__(self, images: Tensor) -> Tensor:
        """(B, D) float32, of images (B, 3, H, W)."""
        features = self._tensor(images)
        shape, rows = tuple(features.shape), len(images)
        if features.ndim != 2 or shape[0] != rows or not shape[1]:
            raise SettingError(f"encode gives {shape} for images {tuple(images.shape)}; {WANTED}, here B={rows}")
        if self.width and shape[1] != self.width:
            raise SettingError(f"encode gives {shape[1]} features an image, and gave {self.width} before; {WANTED}")
        self.width = shape[1]
        if features.is_complex():
            raise SettingError(f"encode gives {features.dtype}; give real features (B, D)")
        if not features.isfinite().all():
            raise SettingError("encode gives NaN or infinite features; give finite ones, or mend the encoder")
        return features.to(images.device, torch.float32)

    def _tensor(self, images: Tensor) -> Tensor:
        """What the encoder gives, as a tensor."""
        try:
            with eval_mode(self.encode), torch.no_grad():
                features = self.encode(images)
        except Exception as error:  # whatever it raises
            if isinstance(error, SettingError) or of_memory(error):
                raise
            what = str(error).strip().partition("\n")[0]
            raise SettingError(
                f"encode raised {type(error).__name__} ({what}) for images {tuple(images.shape)} "
                f"{images.dtype} on {images.device}; it is given float in [0, 1]"
            ) from error
        if isinstance(features, Tensor):
            return features.detach()
        array = np.asarray(features) if hasattr(features, "__array__") else None
        if array is None or array.dtype.kind not in "fiubc":
            raise SettingError(f"encode gives {a_kind(features)}; {WANTED}, a tensor or array")
        return torch.from_numpy(np.array(array))
