import gymnasium as gym
import torch

import envs  # noqa: F401  registers the worlds
from streams.live import Live
from streams.seeding import generator, seed_of, seeds_of


def test_any_whole_number_is_a_seed_of_its_own():
    seeds = (-(2**40), -2, -1, 0, 1, 2, 2**40)
    derived = [seed_of(seed, "world") for seed in seeds]
    assert len(set(derived)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in derived)
    drawn = {float(torch.rand((), generator=generator(seed, "weights"))) for seed in seeds}
    assert len(drawn) == len(seeds)


def test_a_world_takes_one_below_zero():
    frames = [next(Live(gym.make_vec("Counting-v0", num_envs=3, size=8), seed=seed)).images for seed in (-1, -1, 0)]
    assert torch.equal(frames[0], frames[1])
    assert not torch.equal(frames[0], frames[2])


def test_seeds_of_many_images_are_those_of_each():
    assert seeds_of(3, "evaluation/test", range(2, 5)) == [seed_of(3, "evaluation/test", n) for n in (2, 3, 4)]
