# %% [markdown]
# # Your own images, films and turntable
#
# Three ways in: pictures that are moved, a turntable whose neighbours are views of one object, and films.

# %%
import os
import tempfile

os.chdir(tempfile.mkdtemp())  # what is written here is thrown away

# %%
from pathlib import Path

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

import envs
import learners
import runs
import streams
from streams.importing import import_stream
from streams.media.source import ImportSettings

# %% [markdown]
# Some pictures to play with: a folder a category, as data sets often are.

# %%
for category, sides in {"triangle": 3, "square": 4, "hexagon": 6}.items():
    Path("pictures", category).mkdir(parents=True)
    for number in range(20):
        picture = Image.new("RGB", (48, 48), (20 + 10 * number, 90, 120))
        ImageDraw.Draw(picture).regular_polygon((24, 24, 10 + number % 8), sides, rotation=7 * number, fill="white")
        picture.save(f"pictures/{category}/{number:03d}.png")

# %% [markdown]
# ## Pictures that move
# Smooth paths of warps, colours and light; at `speed=1` neighbours differ as much as two augmentations do. The command
# line has it as `env=moving_images env.path=pictures`.

# %%
world = gym.make_vec("MovingImages-v0", num_envs=16, path="pictures", size=32, speed=0.1)
frames = [world.reset(seed=0)[0][0]] + [world.step(world.action_space.sample())[0][0] for _ in range(7)]
plt.figure(figsize=(9, 1.3))
plt.imshow(np.hstack(frames))
plt.axis("off")
world.unwrapped.category_names or sorted(path.name for path in Path("pictures").iterdir())

# %%
learner = learners.make("dgl", size=32)
for update, pairs in enumerate(streams.pairs(world, gap=4)):
    learner.update(pairs)
    if update == 20:
        break

# %% [markdown]
# ## A turntable
# Files named `object__angle.png` are views of one object; neighbours are views a few degrees apart. The command line
# has it as `python -m streams.importing source=turntable path=turntable.zarr`.

# %%
Path("turntable").mkdir()
for name, sides in {"cup": 5, "box": 4}.items():
    for angle in range(0, 360, 10):
        picture = Image.new("RGB", (32, 32), "black")
        ImageDraw.Draw(picture).regular_polygon((16, 16, 12), sides, rotation=angle, fill="orange")
        picture.save(f"turntable/{name}__{angle}.png")
import_stream(ImportSettings(source="turntable", path="turntable.zarr"))

# %%
recording = streams.open("turntable.zarr")
print(recording.categories, [one.past - one.first for one in recording.episodes()])
recording.episode(0)["angle"]

# %% [markdown]
# Frames follow each other in one world. To see several objects at once, episodes are shown whole, in any order:

# %%
pairs = next(streams.pairs("turntable.zarr", gap=1, order="episodes", worlds=2, repeat=True))
pairs.first.shape

# %% [markdown]
# ## Your own images as a test
# Any encoder is scored on a folder, `.npz`, `.npy` or Zarr: here the one that has just learned.

# %%
scores = runs.evaluate(learner.encode, [Path("pictures").resolve()], size=32)
{key.task: round(score["top1"], 2) for key, score in scores.items()}
