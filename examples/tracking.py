"""An eye that learns to follow the object: proximal policy optimisation on tensors, nothing copied off the device.

python examples/tracking.py      # a minute on a laptop
"""

import argparse
from collections.abc import Callable

import gymnasium as gym
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import envs  # noqa: F401  registers the worlds

WORLD = {"size": 16, "reward": "tracking", "background": "plain", "moving": ("translation", "light_direction")}


class Eye(nn.Module):
    """A policy and its critic, both of which see the frame (N, 16, 16, 3) alone."""

    def __init__(self, size: int):
        super().__init__()
        maps = nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Flatten()
        self.body = nn.Sequential(*maps, nn.Linear(size * size, 64), nn.Tanh())
        self.mean, self.value = nn.Linear(64, 2), nn.Linear(64, 1)
        self.log_std = nn.Parameter(torch.full((2,), -0.5))

    def forward(self, frames: Tensor) -> tuple[Normal, Tensor]:
        """Gaze shifts (N, 2) and the worth (N,) of frames (N, H, W, 3) uint8."""
        seen = self.body(frames.permute(0, 3, 1, 2).float() / 127.5 - 1)
        return Normal(self.mean(seen), self.log_std.exp()), self.value(seen)[:, 0]


def rollout(world: gym.vector.VectorEnv, eye: Eye, frames: Tensor, *, steps: int) -> tuple[dict[str, Tensor], Tensor]:
    """What T steps of N worlds gave, each (T, N, ...), and the frames that come next."""
    rows: dict[str, list[Tensor]] = {name: [] for name in ("frames", "shift", "log_p", "value", "reward", "over")}
    for _ in range(steps):
        with torch.no_grad():
            policy, value = eye(frames)
        shift = policy.sample()
        after, reward, _, truncated, _ = world.step(shift.clamp(-1, 1))
        new = frames, shift, policy.log_prob(shift).sum(1), value, torch.as_tensor(reward), torch.as_tensor(truncated)
        for row, one in zip(rows.values(), new, strict=True):
            row.append(one.to(frames.device))
        frames = after
    return {name: torch.stack(row) for name, row in rows.items()}, frames


def advantages(rows: dict[str, Tensor], last: Tensor, *, discount: float = 0.9, trace: float = 0.9) -> Tensor:
    """(T, N) generalised advantages (Schulman et al. 2016, equation 16); an episode's last frame ends the sum."""
    values = torch.cat([rows["value"], last[None]])
    surprise = rows["reward"] + discount * values[1:] * ~rows["over"] - values[:-1]
    gains, gain = torch.zeros_like(surprise), torch.zeros_like(last)
    for step in reversed(range(len(gains))):
        gain = surprise[step] + discount * trace * gain * ~rows["over"][step]
        gains[step] = gain
    return gains


def learn(*, updates: int = 60, worlds: int = 64, steps: int = 32, seed: int = 0) -> Eye:
    """An eye that has learned to follow objects."""
    torch.manual_seed(seed)
    world = gym.make_vec("MovingObjects-v0", num_envs=worlds, **WORLD)
    eye = Eye(WORLD["size"])
    adam = torch.optim.Adam(eye.parameters(), lr=3e-3)
    frames, _ = world.reset(seed=seed)
    for _ in range(updates):
        rows, frames = rollout(world, eye, frames, steps=steps)
        with torch.no_grad():
            gains = advantages(rows, eye(frames)[1])
        improve(eye, adam, {name: row.flatten(0, 1) for name, row in (rows | {"gain": gains}).items()})
    return eye


@torch.no_grad()
def reward_of(act: Callable[[Tensor], Tensor], *, worlds: int = 64, steps: int = 96) -> float:
    """The mean reward a step, on objects that learning never saw, of a function from frames to gaze shifts (N, 2)."""
    world = gym.make_vec("MovingObjects-v0", num_envs=worlds, split="test", **WORLD)
    frames, _ = world.reset(seed=1)
    total = 0.0
    for _ in range(steps):
        frames, reward, *_ = world.step(act(frames))
        total += float(reward.mean())
    return total / steps


def at_random(frames: Tensor) -> Tensor:
    """Shifts (N, 2) that look at nothing."""
    return 2 * torch.rand(len(frames), 2) - 1


def at_rest(frames: Tensor) -> Tensor:
    """Shifts (N, 2) of an eye that never moves."""
    return torch.zeros(len(frames), 2)


def tell(learned: float) -> None:
    """Prints what an eye that has learned is rewarded, beside eyes that have not."""
    unlearned = f"{reward_of(at_random):.2f} at random, {reward_of(at_rest):.2f} at rest"
    print(f"reward a step: {unlearned}, {learned:.2f} after learning")  # noqa: T201


def improve(
    eye: Eye, adam: torch.optim.Optimizer, rows: dict[str, Tensor], *, epochs: int = 4, batch: int = 512
) -> None:
    """Clipped steps on what was seen (Schulman et al. 2017, equation 7)."""
    target = rows["gain"] + rows["value"]
    for part in torch.cat([torch.randperm(len(target)) for _ in range(epochs)]).split(batch):
        policy, value = eye(rows["frames"][part])
        ratio = (policy.log_prob(rows["shift"][part]).sum(1) - rows["log_p"][part]).exp()
        gain = rows["gain"][part]
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        missed = (value - target[part]).square().mean()
        loss = missed - torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(eye.parameters(), 0.5)
        adam.step()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=60)
    eye = learn(updates=parser.parse_args().updates)
    tell(reward_of(lambda frames: eye(frames)[0].mean.clamp(-1, 1)))
