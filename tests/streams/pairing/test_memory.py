import pytest
import torch

from envs.errors import SettingError
from streams.pairing.memory import Buffer, BufferSettings, Fifo, Memory, Reservoir
from streams.pairing.minred import MinRed
from streams.seeding import generator
from tests.helpers.learners import same
from tests.helpers.memories import filled, held, rows, step

BUFFERS = [Fifo, Reservoir, MinRed]


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


def test_categories_with_gaps_are_counted_where_they_occur():
    memory = Fifo(BufferSettings(capacity=4))
    memory.add(rows(0)._replace(labels={"category": 10**9 * torch.tensor([0, 1, 1, 1])}))
    assert memory.statistics()["memory/category"] == {"0": 0.25, "1000000000": 0.75}


@pytest.mark.parametrize("kind", BUFFERS)
def test_a_capacity_below_a_batch_is_named_with_the_least_that_does(kind):
    with pytest.raises(SettingError, match=r"memory.capacity=7 .* try 8 or more"):
        filled(kind, 1, capacity=7, views=2)


def test_a_buffer_is_abstract():
    with pytest.raises(NotImplementedError):
        filled(Buffer, 1)
