"""The probe `factors`: what else than the category a code holds, as position, orientation, light and background.

A factor that a linear readout finds is kept by the code; one that it no longer finds, the code has become invariant to.
"""

import torch
from torch import Tensor

from envs.scene.motion import rotation_matrix
from runs.evaluation.features import Split, Task
from runs.evaluation.probes.registry import ridge_target

UNASKED = ("category", "instance")  # the question itself, and a number that means nothing
MOST_CLASSES = 64  # a factor of more whole numbers than these counts something, and is no class


@ridge_target("factors")
def factor_targets(task: Task, *, device: torch.device) -> dict[str, Split]:
    """Labels (M,) int64 or numbers (M, K) float32 of each factor that varies in training images and counts nothing."""
    targets = {}
    for name in task.train.factors:
        parts = [read_as(name, part.factors[name]).to(device) for part in task[1:4]]
        train = parts[0]
        if train.is_floating_point():
            varies = bool((train.std(0) > 0).any())
        else:
            least, most = int(min(part.min() for part in parts)), int(max(part.max() for part in parts))
            varies = len(train.unique()) > 1 and 0 <= least <= most < MOST_CLASSES
        if name not in UNASKED and varies:
            targets[name] = Split(*parts)
    return targets


def read_as(name: str, values: Tensor) -> Tensor:
    """A factor (M, ...) in a form that is continuous wherever the factor is: (M,) int64 or (M, K) float32.

    An orientation is the first two columns of its rotation matrix (Zhou et al. 2019, "On the continuity of rotation
    representations in neural networks"): q and -q are one turn, and no three or four numbers follow all turns without a
    jump. Directions are unit vectors as they are. A colour temperature is in mireds (1e6 / kelvin), even to the eye.
    """
    if not values.is_floating_point():
        return values
    if name == "orientation":
        values = rotation_matrix(values)[..., :2]
    elif name == "light_color":
        values = 1e6 / values
    return values.flatten(1).float() if values.ndim > 1 else values[:, None].float()
