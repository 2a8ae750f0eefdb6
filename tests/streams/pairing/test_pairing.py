import gymnasium as gym
import numpy as np
import pytest
import torch

from envs.counting import spelt
from envs.errors import SettingError
from streams.live import Live
from streams.pairing import augmentation as augment
from streams.pairing.memory import BufferSettings, MemorySettings
from streams.pairing.pairing import MEMORIES, AugmentationSettings, BothSettings, TemporalSettings, build_pairs
from streams.types import Frames


def stream(worlds=6, *, seed=0, episode_length=10, **settings):
    world = gym.make_vec("Counting-v0", num_envs=worlds, episode_length=episode_length, stagger=True)
    memory, encode = settings.pop("memory", {"name": "none"}), settings.pop("encode", None)
    memory = (BufferSettings if "capacity" in memory else MemorySettings)(**memory)
    pairs = pairs_settings(**{"gap": 3, **settings})
    return build_pairs(Live(world, seed=seed), pairs=pairs, memory=memory, worlds=worlds, seed=seed, encode=encode)


def pairs_settings(name="temporal", **settings):
    kinds = {"augmentation": AugmentationSettings, "both": BothSettings}
    return kinds.get(name, TemporalSettings)(name=name, **settings)


def colours(images):
    return images.mean((2, 3))


def read(images):
    return spelt((images * 255).round().byte().permute(0, 2, 3, 1).numpy())


def same(a, b):
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("law", ["fixed", "uniform", "geometric"])
def test_a_pair_is_one_encounter_gap_steps_apart_and_never_crosses_an_episode(law):
    pairs = stream(gap_distribution=law)
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


@pytest.mark.parametrize("name", ["temporal", "augmentation", "both"])
@pytest.mark.parametrize("memory", MEMORIES)
def test_a_saved_stream_goes_on_bit_for_bit_in_the_midst_of_a_step_too(name, memory, tmp_path):
    capacity = {} if memory == "none" else {"capacity": 30}
    settings = {
        "name": name,
        "gap_distribution": "uniform",
        "memory": {"name": memory, "updates": 2, **capacity},
        "encode": colours,
    }
    straight = stream(**settings)
    expected = [next(straight) for _ in range(20)]
    half = stream(**settings)
    for _ in range(11):
        next(half)
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed = stream(**settings)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert all(same(next(resumed), batch) for batch in expected[11:])


def test_all_kinds_see_equal_frames_in_equal_batches_of_the_same_rows():
    kinds = [stream(name=name, gap_distribution="uniform") for name in ("temporal", "augmentation", "both")]
    for _ in range(20):
        temporal, augmentation, both = (next(kind) for kind in kinds)
        assert temporal.frames == augmentation.frames == both.frames
        assert torch.equal(temporal.episode, augmentation.episode)
        assert torch.equal(temporal.episode, both.episode)
        assert augmentation.gap.eq(0).all()
        assert torch.equal(temporal.gap, both.gap)


def test_augmentation_without_a_gap_takes_every_frame():
    pairs = stream(name="augmentation", gap=0)
    assert [(len(batch.gap), batch.frames) for batch in (next(pairs) for _ in range(3))] == [(6, 6), (6, 12), (6, 18)]


def test_two_views_of_a_frame_are_two_draws_of_the_same_frame():
    pairs = stream(name="augmentation", views="lighting")
    batch = next(pairs)
    assert not torch.allclose(batch.first, batch.second, atol=0.01)
    temporal = next(stream())
    correlation = [
        np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(batch.first, temporal.second, strict=True)
    ]
    assert min(correlation) > 0.5


def test_the_views_of_both_are_views_of_neighbours(monkeypatch):
    monkeypatch.setitem(augment.KINDS, "inverse", lambda images, draws: 1 - images)
    plain, both = next(stream()), next(stream(name="both", views="inverse"))
    assert torch.equal(both.first, 1 - plain.first)
    assert torch.equal(both.second, 1 - plain.second)


def test_which_comes_first_is_drawn_where_pairs_are_symmetric():
    plain, symmetric = stream(), stream(symmetric=True)
    swapped = []
    for _ in range(20):
        one, other = next(plain), next(symmetric)
        swap = (one.first == other.second).all((1, 2, 3))
        assert torch.equal(torch.where(swap[:, None, None, None], one.second, one.first), other.first)
        assert torch.equal(torch.where(swap[:, None, None, None], one.first, one.second), other.second)
        swapped += swap.tolist()
    assert 0.3 < np.mean(swapped) < 0.7


@pytest.mark.parametrize("memory", ["fifo", "reservoir", "minred"])
def test_a_memory_gives_pairs_of_one_encounter_from_its_past_and_counts_frames_once_a_step(memory):
    pairs = stream(memory={"name": memory, "capacity": 60, "updates": 3}, encode=colours)
    counted, spread = [], 0
    for _ in range(60):
        batch = next(pairs)
        for earlier, later in zip(read(batch.first)[:2], read(batch.second)[:2], strict=True):
            assert np.array_equal(earlier, later)
        assert np.array_equal(read(batch.second)[2] - read(batch.first)[2], batch.gap.numpy())
        counted.append(batch.frames)
        spread = max(spread, np.ptp(read(batch.second)[1]))
    assert spread > 1  # episodes that no one step shows
    assert counted == sorted(counted)
    assert counted[2::3] == [batch + 6 for batch in counted[1::3]]
    assert counted[1::3] == counted[::3]
    assert pairs.statistics()["memory"]["held"] == 60


class Shuffled:
    """A source out of order, which knows what came before: the protocol that pairing asks of a replay."""

    def __init__(self):
        live = stream().frames
        frames = [next(live) for _ in range(40)]
        self.images = torch.stack([frame.images for frame in frames])
        self.episodes = torch.stack([frame.episode for frame in frames])
        self.step, self.at = -1, None

    def __next__(self):
        self.step += 1
        draws = torch.Generator().manual_seed(self.step)
        self.at = torch.randint(40, (6,), generator=draws), torch.randint(6, (6,), generator=draws)
        return Frames(self.images[self.at], self.episodes[self.at], self.step, {})

    def look_back(self, gap_at):
        self.gap_at = gap_at

    def before(self):
        steps = self.at[0] - self.gap_at(self.step, 6)
        images = self.images[steps, self.at[1]]
        return images, torch.where(steps < 0, -1, self.episodes[steps, self.at[1]])


def test_a_source_out_of_order_is_told_of_gaps_and_asked_for_what_came_before_and_gives_as_many_updates():
    pairs, in_order = build_pairs(Shuffled(), pairs=TemporalSettings(gap=3)), stream()
    for _ in range(20):
        batch = next(pairs)
        assert batch.frames == next(in_order).frames
        assert np.array_equal(read(batch.first)[1], read(batch.second)[1])
        assert np.array_equal(read(batch.second)[2] - read(batch.first)[2], batch.gap.numpy())
        assert batch.gap.eq(3).all()


def test_seeds_share_no_world():
    assert not set(stream(seed=0).frames.seeds) & set(stream(seed=1).frames.seeds)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gap": 0}, "pairs.gap=0"),
        ({"gap_distribution": "random"}, "pairs.gap_distribution=random"),
        ({"name": "spatial"}, "pairs=spatial"),
        ({"name": "both", "views": "blur"}, "pairs.views=blur"),
        ({"memory": {"name": "lifo"}}, "memory=lifo"),
        ({"memory": {"name": "none", "updates": 0}}, "memory.updates=0"),
        ({"memory": {"name": "fifo", "capacity": 11}, "worlds": 6}, "memory.capacity=11 .* try 12"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings, message):
    with pytest.raises(SettingError, match=message):
        stream(**settings)


def test_a_gap_that_never_forms_a_pair_is_told_and_not_waited_for():
    with pytest.raises(SettingError, match="pairs.gap=12 formed no two pairs in"):
        next(stream(2, gap=12))
