# %% [markdown]
# # Probing an encoder
#
# What can be read off the features, once they are frozen; and how a score can fool you.

# %%
import os
import tempfile

os.chdir(tempfile.mkdtemp())  # what is written here is thrown away

# %%
from itertools import islice

import gymnasium as gym
import torch

import envs
import learners
import runs
import streams

world = gym.make_vec("MovingObjects-v0", num_envs=64, size=32)
learner = learners.make("dgl", size=32, seed=0)
for pairs in islice(streams.pairs(world, gap=4, seed=0), 30):
    learner.update(pairs)
few = {"train": 500, "validation": 100, "test": 300}

# %% [markdown]
# ## Several probes, and the baselines beside them

# %%
scores = runs.evaluate(learner.encode, ["world"], probes=["linear", "knn", "few"], with_baselines=True, **few)
for key, score in scores.items():
    print(f"{key.path:32} {100 * score['top1']:5.1f} %{'  *' if score.get('degenerate') else ''}")

# %% [markdown]
# The random encoder is the baseline that counts: what it scores, learning has not added. A star marks a probe that says
# little: nearly every image gets one answer, or the best regularisation was the last one tried.
#
# ## What the code keeps
# Position, orientation, light, background: an R² each, or the share that is right.

# %%
kept = runs.evaluate(learner.encode, ["world"], probes=["factors"], **few)
{key.probe: round(score.get("r2", score.get("top1")), 2) for key, score in kept.items()}

# %% [markdown]
# ## Another set, another encoder
# Any callable from images (B, 3, H, W) in [0, 1] to features (B, D) will do: here the mean colour of each quarter.


# %%
def quarters(images):
    """(B, 3, H, W) to (B, 12)."""
    return torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


for name, encode in {"learned": learner.encode, "quarters": quarters}.items():
    (score,) = runs.evaluate(encode, ["digits"], **few).values()
    print(f"{name}: {100 * score['top1']:.1f} % of the digits")

# %% [markdown]
# ## A probe of your own
# A function under `runs.probe`, of features and labels of the training, validation and test images. In a module of its
# own it is `eval.probes=[linear,MODULE:prototypes]` for the main job, and its score stands in every table.


# %%
@runs.probe("prototypes", label="nearest class mean")
def prototypes(features, labels, *, classes):
    """The class whose mean training feature is nearest."""
    means = torch.stack([features.train[labels.train == number].mean(0) for number in range(classes)])
    return {"top1": float((torch.cdist(features.test, means).argmin(1) == labels.test).float().mean())}


runs.evaluate(learner.encode, ["world"], probes=["prototypes"], **few)
