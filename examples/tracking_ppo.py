"""An eye that learns to follow the object by stable-baselines3's PPO.

pip install stable-baselines3
python examples/tracking_ppo.py      # a minute on a laptop
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from examples.tracking import WORLD, reward_of, tell


class Worlds(VecEnv):
    """N worlds as stable-baselines3 has them: one batch a step, no process or copy a world.

    An episode's last frame comes in its `info` as `terminal_observation`, with `TimeLimit.truncated`, so that PPO
    goes on from its worth; the observation is the first of the next episode.
    """

    def __init__(self, num_envs: int, **settings):
        self.world = gym.make_vec("MovingObjects-v0", num_envs=num_envs, autoreset_mode="SameStep", **settings)
        self.render_mode = None
        super().__init__(num_envs, self.world.single_observation_space, self.world.single_action_space)

    def reset(self) -> np.ndarray:
        """The first frames (N, H, W, 3) uint8."""
        frames, _ = self.world.reset(seed=int(np.random.default_rng(self._seeds[0]).integers(1 << 31)))
        self._reset_seeds()
        return frames.cpu().numpy()

    def step_async(self, actions: np.ndarray) -> None:
        """Takes the shifts (N, 2) of the next step."""
        self.shift = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Frames (N, H, W, 3), rewards (N,), which episodes ended (N,), and a dictionary a world."""
        frames, reward, _, over, info = self.world.step(self.shift)
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(over):
            rows[row] = {"terminal_observation": info["final_obs"][row].cpu().numpy(), "TimeLimit.truncated": True}
        return frames.cpu().numpy(), np.asarray(reward, np.float32), over, rows

    def close(self) -> None:
        """Lets the worlds go."""
        self.world.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the worlds, once for each."""
        return [getattr(self.world, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Sets an attribute of all worlds."""
        setattr(self.world, attr_name, value)

    def env_method(self, method_name: str, *args, indices: Any = None, **keywords) -> list[Any]:
        """What a method of the worlds returns, once for each."""
        return [getattr(self.world, method_name)(*args, **keywords)] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Whether the worlds are wrapped: never."""
        return [False] * len(list(self._get_indices(indices)))


def learn(*, frames: int = 120_000, seed: int = 0) -> PPO:
    """PPO that has seen so many frames."""
    torch.set_num_threads(1)  # its networks are too small for more
    worlds = Worlds(64, **WORLD)
    policy = {"net_arch": [64], "activation_fn": torch.nn.Tanh, "log_std_init": -0.5}
    model = PPO(
        "MlpPolicy", worlds, n_steps=32, batch_size=512, n_epochs=4, gamma=0.9, gae_lambda=0.9, learning_rate=1e-3,
        policy_kwargs=policy, seed=seed, device="cpu",
    )  # fmt: skip
    return model.learn(frames)


if __name__ == "__main__":
    model = learn()
    tell(reward_of(lambda seen: torch.from_numpy(model.predict(seen.numpy(), deterministic=True)[0])))
