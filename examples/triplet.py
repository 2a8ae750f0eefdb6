"""A loss of one's own: a function of embeddings, and examples/conf/loss/triplet.yaml, which names it.

python -m learners.online 'hydra.searchpath=[examples/conf]' loss=triplet

Every key of the YAML file but `name` and `kind` is a keyword of the function. A loss with weights of its own is a
subclass of learners.losses.Loss instead.
"""

import torch
from torch import Tensor


def triplet(u: Tensor, v: Tensor, *, episode: Tensor, margin: float = 0.5) -> Tensor:
    """`[margin + |u_i - v_i| - min_j |u_i - v_j|]_+`, j over other episodes (Schroff et al. 2015, "FaceNet", 3.1).

    u, v (B, D) are the embeddings of the first and second views, of which row i shows `episode` (B,) i.
    """
    distance = torch.cdist(u, v)  # (B, B)
    others = distance.masked_fill(episode[:, None] == episode, torch.inf)
    return (margin + distance.diagonal() - others.amin(1)).clamp_min(0).mean()
