"""Your first stream, in plain Python: a world, its pairs, a loss of your own, a score, a recording, a run, a plot."""

import gymnasium as gym
import torch

import learners
import runs
import streams

# 1. A world: 64 objects at once, each seen for 48 frames as it moves under moving light.
world = gym.make_vec("MovingObjects-v0", num_envs=64, size=32)


# 2. A loss of your own: a function of the embeddings (B, D) of the two views.
def repel(u, v, *, episode, margin: float = 2.0):
    """Views of one object attract, those of two objects repel, up to a margin."""
    distance = torch.cdist(u, v)
    others = episode[:, None] != episode
    return distance.diagonal().mean() + ((margin - distance).clamp_min(0) * others).sum() / others.sum()


# 3. A learner whose blocks learn by themselves, from pairs that are four steps apart.
learner = learners.make("dgl", loss=repel, size=32, seed=0)
for update, pairs in enumerate(streams.pairs(world, gap=4, seed=0)):
    report = learner.update(pairs)
    if update == 60:
        break
print(f"loss {report['loss']:.3f}")

# 4. What did it learn? A linear probe on objects that it never saw, beside a random encoder and raw pixels.
few = {"train": 1000, "validation": 200, "test": 500}
random = learners.make("none", size=32, seed=0)
for name, encode in {"learned": learner.encode, "random": random.encode, "pixels": lambda x: x.flatten(1)}.items():
    (score,) = runs.evaluate(encode, ["world"], **few).values()
    print(f"{name}: {100 * score['top1']:.1f} % right")

# 5. A recording: written once, replayed to the bit, read as arrays.
recording = streams.write(world, "walk.zarr", frames=64 * 60, seed=0)
episode = recording.episode(recording.episodes()[0].number)
print(recording.categories[episode["category"][0]], episode["images"].shape)
again = next(streams.pairs("walk.zarr", gap=4, seed=0))

# 6. The whole job, with scores, checkpoints and a folder, and the encoder that it leaves behind.
trained = learners.train({"run.name": "first", "run.frames": 8192, "eval.every": 8192})
encoder = learners.load("results/first")
print(encoder(torch.from_numpy(recording["images"][0])).shape)

# 7. Its numbers as tables, to plot as you like.
run = runs.open("results/first")
figure = run["train"].plot(x="frames", y="loss").figure
figure.savefig("loss.png")
print(
    runs.open_all("results/*").query("probe == 'linear' and encoder == 'encoder'")[["run", "task", "frames", "value"]]
)
