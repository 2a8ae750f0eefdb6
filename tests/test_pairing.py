import gymnasium as gym
import numpy as np
import pytest
import torch

from envs.counting import spelt
from envs.errors import SettingError
from streams.live import Live
from streams.pairing import TemporalPairs


def stream(worlds=6, *, seed=0, episode_length=10, **settings):
    world = gym.make_vec("Counting-v0", num_envs=worlds, episode_length=episode_length, stagger=True)
    return TemporalPairs(Live(world, seed=seed), **{"gap": 3, **settings})


def read(images):
    return spelt((images * 255).round().byte().permute(0, 2, 3, 1).numpy())


def same(a, b):
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("law", ["fixed", "uniform", "geometric"])
def test_a_pair_is_one_encounter_gap_steps_apart_and_never_crosses_an_episode(law):
    pairs = stream(gap_law=law)
    gaps = []
    for _ in range(60):
        batch = next(pairs)
        for earlier, later in zip(read(batch.first)[:2], read(batch.second)[:2], strict=True):  # seed, episode
            assert np.array_equal(earlier, later)
        assert np.array_equal(read(batch.second)[2] - read(batch.first)[2], batch.gap.numpy())
        gaps += batch.gap.tolist()
    assert {"fixed": {3}, "uniform": {1, 2, 3}}.get(law, set(gaps)) == set(gaps)
    assert law != "geometric" or (max(gaps) > 4 and min(gaps) == 1)


def test_every_pair_that_can_be_is_made():
    pairs = stream(worlds=4, episode_length=10)
    rows = sum(len(next(pairs).gap) for _ in range(200))
    steps = pairs.frames.step + 1
    assert rows / (4 * steps) == pytest.approx((10 - 3) / 10, abs=0.03)


def test_pairs_are_channels_last_floats_that_count_the_frames():
    batch = next(stream(worlds=5))
    for view in batch[:2]:
        assert view.dtype == torch.float32
        assert view.is_contiguous(memory_format=torch.channels_last)
        assert 0 <= view.min() < view.max() <= 1
    assert batch.frames == 5 * 4


def test_a_saved_stream_goes_on_bit_for_bit():
    straight = stream(gap_law="uniform")
    expected = [next(straight) for _ in range(20)]
    half = stream(gap_law="uniform")
    for _ in range(11):
        next(half)
    resumed = stream(gap_law="uniform")
    resumed.load_state_dict(half.state_dict())
    assert all(same(next(resumed), batch) for batch in expected[11:])


def test_seeds_share_no_world():
    assert not set(stream(seed=0).frames.seeds) & set(stream(seed=1).frames.seeds)


@pytest.mark.parametrize("settings", [{"gap": 0}, {"gap_law": "random"}])
def test_a_setting_that_cannot_work_is_named(settings):
    with pytest.raises(SettingError, match=f"pairs.{next(iter(settings))}"):
        stream(**settings)
