"""A network of one's own: a Spec, and examples/conf/network/normed.yaml, which names it.

python -m learners.online 'hydra.searchpath=[examples/conf]' network=normed

A layer that is no convolution and none of learners.networks.LAYERS is a function from the number of channels to a
module that keeps the shape. Every rule takes the network: each tuple is a block, with a head where the rule wants one.
"""

from torch import nn

from learners.networks.network import Spec


def norm(channels: int) -> nn.Module:
    """Normalises each image by itself, since statistics of a stream's batch would follow the scene."""
    return nn.GroupNorm(8, channels)


NORMED = Spec(
    blocks=((32, norm, "relu", "pool"), (64, norm, "relu", "pool"), (128, norm, "relu", "pool")),
    squash=True,
    gain=6**0.5,
)
