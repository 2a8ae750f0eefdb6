"""The examples of eyes that act: each learns to look nearer to the object than an eye that moves at random."""

import torch

from examples import tracking, tracking_ppo


def test_an_eye_learns_to_follow_the_object_on_tensors():
    eye = tracking.learn(updates=20)
    learned = tracking.reward_of(lambda frames: eye(frames)[0].mean.clamp(-1, 1))
    assert learned > tracking.reward_of(tracking.at_random) + 0.1


def test_an_eye_learns_to_follow_the_object_by_a_library():
    model = tracking_ppo.learn(frames=40_000)
    learned = tracking.reward_of(lambda seen: torch.from_numpy(model.predict(seen.numpy(), deterministic=True)[0]))
    assert learned > tracking.reward_of(tracking.at_random) + 0.1


def test_the_last_frame_of_an_episode_is_kept_and_no_failure():
    worlds = tracking_ppo.Worlds(2, episode_length=3, size=16)
    first = worlds.reset()
    last = worlds.step(torch.zeros(2, 2).numpy())
    assert not last[2].any()
    frames, _, over, rows = worlds.step(torch.zeros(2, 2).numpy())
    assert over.all()
    assert all(row["TimeLimit.truncated"] for row in rows)
    assert all(row["terminal_observation"].shape == first[0].shape for row in rows)
    assert not (frames == [row["terminal_observation"] for row in rows]).all()
