# %% [markdown]
# # Online or batch?
#
# Which pairs are better: neighbours in time, or two augmentations of one frame? On equal terms: one recording, equal
# frames, equal updates.

# %%
import os
import tempfile

os.chdir(tempfile.mkdtemp())  # what is written here is thrown away

# %%
import gymnasium as gym
import matplotlib.pyplot as plt

import envs
import learners
import runs
import streams

world = gym.make_vec("MovingObjects-v0", num_envs=64, size=32, stagger=True)
recording = streams.write(world, "walk.zarr", frames=64 * 50, seed=0)

# %% [markdown]
# A pair of each kind: the first views above, the second below.

# %%
figure, rows = plt.subplots(2, 3, figsize=(9, 3.2), squeeze=False)
for column, kind in enumerate(["temporal", "augmentation", "both"]):
    pairs = next(streams.pairs("walk.zarr", gap=4, kind=kind, seed=1))
    for row, views in enumerate((pairs.first, pairs.second)):
        strip = views[:5].permute(2, 0, 3, 1).flatten(1, 2)
        rows[row, column].imshow(strip)
        rows[row, column].set_axis_off()
    rows[0, column].set_title(kind)

# %% [markdown]
# The same rule learns from each, once through the recording; the test objects were never shown.

# %%
few = {"train": 500, "validation": 100, "test": 300}
results = {}
for kind in ["temporal", "augmentation", "both"]:
    learner = learners.make("dgl", size=32, seed=0)
    for pairs in streams.pairs("walk.zarr", gap=4, kind=kind, seed=0):
        learner.update(pairs)
    (score,) = runs.evaluate(learner.encode, ["world"], **few).values()
    results[kind] = score["top1"]
(score,) = runs.evaluate(learners.make("none", size=32, seed=0).encode, ["world"], **few).values()
results["random encoder"] = score["top1"]
results

# %% [markdown]
# One seed and 3,200 frames are a glance, no result. With three seeds, four times the frames and intervals:
# `python benchmarks/online_vs_batch.py`, and [its table](../results.md#online-or-batch).
