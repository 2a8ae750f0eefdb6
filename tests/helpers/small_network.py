"""A network that is made and saved in no time."""

from learners.networks.network import Spec

SPEC = Spec(((4, "pool", "tanh"), (4, "pool", "tanh")), squash=True)
