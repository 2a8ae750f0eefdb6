import pytest
import torch

from envs.errors import SettingError
from streams.pairs.memory import Buffer, BufferSettings, Fifo, Memory, Reservoir
from streams.pairs.minred import MinRed, Nearest
from streams.seeding import generator
from streams.types import Rows
from tests.helpers.learners import same

BUFFERS = [Fifo, Reservoir, MinRed]


def rows(first, count=4, *, views=1, categories=3):
    """Rows that say in pixels, episode and category which they are."""
    number = torch.arange(first, first + count)
    images = (number % 256).to(torch.uint8)[:, None, None, None].expand(-1, 4, 4, 3).contiguous()
    return Rows((images,) * views, torch.full((count,), views - 1), number, {"category": number % categories})


def filled(kind, batches, *, capacity=12, views=1, train=False):
    memory = kind(BufferSettings(capacity=capacity), seed=0)
    for batch in range(batches):
        step(memory, batch, views=views, train=train)
    return memory


def step(memory, batch, *, views=1, train=True):
    memory.add(rows(4 * batch, views=views))
    if train:
        drawn, slots = memory.draw(4, generator(0, "draw", batch))
        if memory.asks_for_features:
            memory.remember(slots, features(drawn))


def features(drawn):
    """Every third row looks nearly the same."""
    draws = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
    return torch.where((drawn.episode % 3 == 0)[:, None], draws[:1] + 0.01 * draws[drawn.episode], draws[drawn.episode])


def held(memory):
    return sorted(memory.rows.episode[: memory.filled].tolist())


@pytest.mark.parametrize("kind", BUFFERS)
@pytest.mark.parametrize("views", [1, 2])
def test_capacity_is_in_frames_and_whatever_is_held_is_whole(kind, views):
    memory = filled(kind, 40, capacity=24, views=views, train=True)
    assert memory.slots == memory.filled == 24 // views
    assert len(set(held(memory))) == memory.filled
    drawn, slots = memory.draw(memory.filled, generator(0, "draw"))
    assert sorted(slots.tolist()) == list(range(memory.filled))
    for view in drawn.views:
        assert view.dtype == torch.uint8
        assert torch.equal(view[:, 0, 0, 0].long(), drawn.episode % 256)
    assert torch.equal(drawn.labels["category"], drawn.episode % 3)


def test_without_memory_all_that_came_last_is_given():
    memory = Memory()
    memory.add(rows(0))
    memory.add(last := rows(4))
    drawn, _ = memory.draw(4, generator(0, "draw"))
    assert same(drawn._asdict(), last._asdict())
    assert memory.statistics() == {}


def test_fifo_holds_the_last_rows():
    assert held(filled(Fifo, 2)) == list(range(8))
    assert held(filled(Fifo, 9)) == list(range(24, 36))


def test_a_reservoir_is_a_uniform_sample_of_all_that_came():
    counts = torch.zeros(40)
    for seed in range(150):
        memory = Reservoir(BufferSettings(capacity=12), seed=seed)
        for batch in range(10):
            memory.add(rows(4 * batch))
        counts[held(memory)] += 1
    expected = 150 * 12 / 40
    assert (counts - expected).abs().max() < 5 * (expected * (1 - 12 / 40)) ** 0.5


def test_draws_are_uniform_without_replacement_and_a_function_of_the_generator():
    memory = filled(Fifo, 3)
    counts = torch.zeros(12)
    for number in range(600):
        drawn, slots = memory.draw(4, generator(0, "draw", number))
        assert len(slots.unique()) == 4
        counts[drawn.episode] += 1
        assert torch.equal(slots, memory.draw(4, generator(0, "draw", number))[1])
    assert (counts - 200).abs().max() < 5 * 200**0.5


def greedy(directions, count):
    """The rule, read literally: every time all cosines, and the one whose nearest is most similar goes."""
    left, gone = list(range(len(directions))), []
    for _ in range(count):
        part = directions[left]
        near = (part @ part.T).fill_diagonal_(-2).amax(1)
        gone.append(left.pop(int((near >= near.max() - 1e-6).nonzero()[0])))
    return gone


@pytest.mark.parametrize("count", [1, 7, 25, 38])
def test_the_most_redundant_go_one_after_another_as_by_the_rule_read_literally(count):
    draws = torch.Generator().manual_seed(count)
    centres = torch.randn(5, 6, generator=draws)
    points = centres[torch.randint(5, (40,), generator=draws)] + 0.3 * torch.randn(40, 6, generator=draws)
    directions = torch.nn.functional.normalize(points, dim=1)
    nearest = Nearest(torch.zeros(40, 6))
    nearest.put(torch.arange(40), directions)
    assert nearest.drop(count).tolist() == greedy(directions, count)


def test_nearest_are_right_whatever_changed_and_went():
    draws = torch.Generator().manual_seed(0)
    nearest = Nearest(torch.zeros(30, 5))
    for number in range(20):
        slots = torch.randperm(30, generator=draws)[:6]
        nearest.put(slots, torch.nn.functional.normalize(torch.randn(6, 5, generator=draws), dim=1))
        if number > 5:
            nearest.drop(4)
        nearest._compare()
        at = nearest.held.nonzero()[:, 0]
        cosines = (nearest.directions[at] @ nearest.directions[at].T).fill_diagonal_(-2)
        assert torch.allclose(nearest.cosine[at], cosines.amax(1), atol=1e-6)
        assert torch.equal(nearest.twin[at], at[cosines.argmax(1)])


def test_frames_that_are_all_the_same_can_go_too():
    nearest = Nearest(torch.zeros(40, 3))
    nearest.put(torch.arange(40), torch.eye(3).repeat(14, 1)[:40])
    assert len(set(nearest.drop(40).tolist())) == 40


def test_minred_drops_what_looks_the_same_and_never_what_was_not_trained_on():
    memory = MinRed(BufferSettings(capacity=16))
    for batch in range(4):
        memory.add(rows(4 * batch))
    memory.remember(torch.arange(12), features(memory.rows)[:12])  # the last four were never trained on
    memory.add(rows(16, 3))
    assert {0, 3, 6, 9} - set(held(memory)) == {0, 3, 6}
    memory.add(rows(20))
    assert set(range(12, 16)) <= set(held(memory))


def test_where_too_few_were_trained_on_the_oldest_of_the_others_go():
    memory = filled(MinRed, 3)
    memory.remember(torch.tensor([5]), torch.ones(1, 8))
    memory.add(rows(12))
    assert held(memory) == [3, 4, *range(6, 16)]


def test_a_feature_is_the_direction_of_the_halved_running_mean():
    memory = filled(MinRed, 3)
    one, two, three = torch.eye(3)[:, None] * torch.tensor([2.0, 5.0, 7.0])[:, None, None]
    for feature in (one, two, three):
        memory.remember(torch.tensor([4]), feature)
    mean = torch.tensor([1.0, 1, 0]) / 2**0.5  # the direction of the first two
    assert torch.allclose(memory.trained.directions[4], torch.nn.functional.normalize(mean + torch.eye(3)[2], dim=0))


@pytest.mark.parametrize("kind", BUFFERS)
def test_eleven_and_nine_steps_are_twenty(kind, tmp_path):
    straight, half = filled(kind, 20, train=True), filled(kind, 11, train=True)
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed = kind(BufferSettings(capacity=12), seed=0)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for batch in range(11, 20):
        step(resumed, batch)
    assert same(straight.state_dict(), resumed.state_dict())


@pytest.mark.parametrize("kind", BUFFERS)
def test_statistics_count_what_is_held(kind):
    memory = filled(kind, 9, views=1, train=True)
    series = memory.statistics()
    counts = torch.bincount(memory.rows.labels["category"], minlength=3) / 12
    assert series["memory/category"] == pytest.approx(
        {str(number): float(count) for number, count in enumerate(counts)}
    )
    assert series["memory"]["held"] == 12
    assert series["memory"]["age"] == pytest.approx(8 - memory.since.float().mean().item())
    assert series["memory"]["oldest"] == 8 - memory.since.min()
    assert kind is not Fifo or series["memory"]["age"] == 1


def test_redundancy_tells_repetition_from_variety():
    images = torch.randint(0, 256, (12, 16, 16, 3), dtype=torch.uint8)
    redundancies = []
    for shown in (images, images[:1].expand(12, -1, -1, -1)):
        memory = Fifo(BufferSettings(capacity=12))
        memory.add(rows(0, 12)._replace(views=(shown,)))
        redundancies.append(memory.statistics()["memory"]["redundancy"])
    assert redundancies[0] < 0.5
    assert redundancies[1] == pytest.approx(1)


def test_a_category_that_was_dropped_has_a_share_of_nothing():
    memory = Fifo(BufferSettings(capacity=4))
    memory.add(rows(0))
    memory.statistics()
    memory.add(rows(4)._replace(labels={"category": torch.zeros(4, dtype=torch.int64)}))
    assert memory.statistics()["memory/category"] == {"0": 1, "1": 0, "2": 0}


@pytest.mark.parametrize("kind", BUFFERS)
def test_a_capacity_below_a_batch_is_named_with_the_least_that_does(kind):
    with pytest.raises(SettingError, match=r"memory.capacity=7 .* try 8 or more"):
        filled(kind, 1, capacity=7, views=2)


def test_a_buffer_is_abstract():
    with pytest.raises(NotImplementedError):
        filled(Buffer, 1)
