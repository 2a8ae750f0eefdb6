# %% [markdown]
# # Your own loss, rule, network and world
#
# In a notebook a part is an object that you pass. On the command line worlds and probes are named `MODULE:NAME`
# (`env=mine:square`, `eval.probes=[mine:nearest]`). A loss, a rule or a network is a YAML file of a folder `conf` of
# your own, which names it by a dotted path: with `kind: mine.nearer` and its settings in `conf/loss/nearer.yaml`, the
# command is `python -m learners.online 'hydra.searchpath=[conf]' loss=nearer`, as `examples/conf` shows for each of
# them. All are found from the folder that you run in.

# %%
import os
import tempfile

os.chdir(tempfile.mkdtemp())  # what is written here is thrown away

# %%
from dataclasses import dataclass
from itertools import islice

import gymnasium as gym
import numpy as np
import torch

import envs
import learners
import runs
import streams
from envs.scene.random import Draws, key

# %% [markdown]
# ## A world
# A world begins episodes and renders frames. What it shows is a function of (seed, split, episode, age); all else is
# done.


# %%
@dataclass
class SquareSettings:
    """A square that moves to the right."""

    name: str = "square"
    id: str = "Square-v0"
    num_worlds: int = 16
    size: int = 16
    episode_length: int = 12
    stagger: bool = True
    split: str = "train"


@envs.register
class SquareVector(envs.VectorWorld):
    """N squares, grey or bright."""

    settings_class = SquareSettings
    categories = 2

    def __init__(self, num_envs=1, **settings):
        super().__init__(num_envs, **settings)
        self.kind, self.row = np.zeros((2, num_envs), np.int64)

    def _begin(self, rows, seeds, episodes):
        draws = Draws(key(self.settings.split, seeds, episodes))
        self.kind[rows] = draws.integers("kind", 2)
        self.row[rows] = draws.integers("row", self.settings.size - 4)

    def _render(self, age):
        frames = torch.zeros(self.num_envs, self.settings.size, self.settings.size, 3, dtype=torch.uint8)
        for world in range(self.num_envs):
            top, left = self.row[world], int(age[world]) % (self.settings.size - 4)
            frames[world, top : top + 4, left : left + 4] = 100 + 100 * int(self.kind[world])
        return frames.to(self.device), {"category": torch.from_numpy(self.kind.copy()).to(self.device)}


world = gym.make_vec("Square-v0", num_envs=16)
envs.check_world(world)

# %% [markdown]
# In a module of its own it is `env=MODULE:square` for every command. A complete one: `examples/bouncing_square.py`.
#
# ## A network
# A `Spec` says what each block is made of: a number is a 3x3 convolution to so many channels.

# %%
small = learners.Spec(blocks=((16, "relu", "pool"), (32, "relu", "pool")), squash=False)

# %% [markdown]
# ## A loss


# %%
def nearer(u, v, *, episode, margin: float = 0.5):
    """Triplet loss with the hardest negative (Schroff et al. 2015)."""
    distance = torch.cdist(u, v)
    others = distance.masked_fill(episode[:, None] == episode, torch.inf)
    return (margin + distance.diagonal() - others.amin(1)).clamp_min(0).mean()


# %%
learner = learners.make("gll", loss=nearer, network=small, size=16, updates=20)
losses = [learner.update(pairs)["loss"].item() for pairs in islice(streams.pairs(world, gap=2), 20)]
losses[0], losses[-1]

# %% [markdown]
# ## A rule
# A subclass of `learners.Learner` with `learn`, which leaves gradients in the weights. This one nudges all weights at
# random and keeps what helped; `examples/perturbation.py` has it with settings of its own.


# %%
class Perturbation(learners.Learner):
    """dW = (L(W + sX) - L(W - sX)) / 2s X (Spall 1992)."""

    @torch.no_grad()
    def learn(self, pairs):
        weights, losses = list(self.network.parameters()), []
        nudges = [torch.randn_like(weight) for weight in weights]
        for step in (1e-3, -2e-3, 1e-3):
            for weight, nudge in zip(weights, nudges):
                weight += step * nudge
            u, v = (self.network.heads[-1](self.network.outputs(view)[-1]) for view in (pairs.first, pairs.second))
            losses.append(self.loss(u, v, episode=pairs.episode)[0])
        for weight, nudge in zip(weights, nudges):
            weight.grad = (losses[0] - losses[1]) / 2e-3 * nudge
        return {"loss": losses[2]}


backprop = learners.make("bp", loss=nearer, network=small, size=16)
nudging = Perturbation(backprop.network, backprop.losses, backprop.settings)
nudging.update(next(streams.pairs(world, gap=2)))
