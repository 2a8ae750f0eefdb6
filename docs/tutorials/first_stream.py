# %% [markdown]
# # Your first stream
#
# In plain Python, without any configuration: a world, its pairs, a loss of your own, a score, a recording, a whole run,
# its encoder loaded again, and a plot.

# %%
import os
import tempfile

os.chdir(tempfile.mkdtemp())  # what is written here is thrown away

# %%
import gymnasium as gym
import torch

import envs  # registers the worlds
import learners
import runs
import streams

# %% [markdown]
# ## A world
# 64 objects at once, each seen for 48 frames as it moves under moving light.

# %%
world = gym.make_vec("MovingObjects-v0", num_envs=64, size=32)
frames, info = world.reset(seed=0)
frames.shape, info["category"][:8]

# %% [markdown]
# ## A loss of your own
# A function of the embeddings `u`, `v` (B, D) of the two views. Two rows of one episode are no negatives of each other.


# %%
def repel(u, v, *, episode, margin: float = 2.0):
    """Views of one object attract, those of two objects repel, up to a margin."""
    distance = torch.cdist(u, v)
    others = episode[:, None] != episode
    return distance.diagonal().mean() + ((margin - distance).clamp_min(0) * others).sum() / others.sum()


# %% [markdown]
# ## Learning
# `dgl` gives every block the loss, and no error passes between blocks. The two views of a pair are four steps apart.

# %%
learner = learners.make("dgl", loss=repel, size=32, seed=0)
for update, pairs in enumerate(streams.pairs(world, gap=4, seed=0)):
    report = learner.update(pairs)
    if update == 30:
        break
report["loss"]

# %% [markdown]
# ## What did it learn?
# A linear probe on objects that it never saw, beside a random encoder and raw pixels.

# %%
few = {"train": 500, "validation": 100, "test": 300}
encoders = {
    "learned": learner.encode,
    "random": learners.make("none", size=32).encode,
    "pixels": lambda x: x.flatten(1),
}
for name, encode in encoders.items():
    (score,) = runs.evaluate(encode, ["world"], **few).values()
    print(f"{name}: {100 * score['top1']:.1f} % right")

# %% [markdown]
# ## A recording
# Written once, replayed to the bit, read as arrays.

# %%
recording = streams.write(world, "walk.zarr", frames=64 * 60, seed=0)
episode = recording.episode(recording.episodes()[0].number)
print(recording.categories[episode["category"][0]], episode["images"].shape)
again = next(streams.pairs("walk.zarr", gap=4, seed=0))

# %% [markdown]
# ## The whole job
# With scores, checkpoints and a folder; `python -m learners.online run.name=first run.frames=4096` is the same.

# %%
settings = {"run.name": "first", "run.frames": 4096, "eval.every": 4096, "eval.ends": [], "eval.probes": ["linear"]}
trained = learners.train(settings | {f"eval.{name}": count for name, count in few.items()})
encoder = learners.load("results/first")
encoder(torch.from_numpy(recording["images"][0])).shape

# %% [markdown]
# ## Its numbers, to plot as you like

# %%
run = runs.open("results/first")
axes = run["train"].plot(x="frames", y="loss", legend=False, ylabel="loss")

# %%
scores = runs.open_all("results/*").query("probe == 'linear' and encoder == 'encoder'")
scores[["run", "task", "frames", "value"]]
