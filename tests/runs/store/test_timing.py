import torch

from runs.store.timing import RunningMean, Stopwatch, due


def test_due_counts_multiples_passed_whatever_the_stride():
    for stride in (1, 3, 7, 25):
        times = [now for now in range(stride, 200, stride) if due(10, now - stride, now)]
        assert len(times) == len({now // 10 for now in range(stride, 200, stride)} - {0})
    assert not any(due(0, now, now + 1) for now in range(20))


def test_means_are_of_what_came_since_they_were_taken():
    means = RunningMean()
    for value in (1.0, 2.0, 6.0):
        means.add({"loss": torch.tensor(value)} | ({"late": torch.tensor(5.0)} if value > 1 else {}))
    assert means.take() == {"loss": 3.0, "late": 5.0}
    means.add({"loss": torch.tensor(4.0)})
    assert means.take() == {"loss": 4.0}


def test_means_are_saved_and_resumed():
    straight, half, resumed = RunningMean(), RunningMean(), RunningMean()
    for means, values in ((straight, (0.1, 0.2, 0.7)), (half, (0.1, 0.2))):
        for value in values:
            means.add({"loss": torch.tensor(value)})
    resumed.load_state_dict(half.state_dict())
    resumed.add({"loss": torch.tensor(0.7)})
    assert resumed.take() == straight.take()


def test_a_stopwatch_adds_up_its_parts():
    clock = Stopwatch()
    for _ in range(3):
        with clock("a"):
            pass
    assert list(clock.seconds) == ["a"]
    assert clock.seconds["a"] >= 0


def test_the_first_bad_loss_is_a_blocks_and_is_told_once():
    means, fine, bad = RunningMean(), torch.tensor(1.0), torch.tensor(float("nan"))
    assert means.first_bad() is None
    means.add({"loss": fine, "active": bad})  # only losses and errors are looked at
    means.add({"loss": bad, "block3/loss": bad})
    means.add({"loss": bad, "block1/loss": bad})
    name, value, ago = means.first_bad()
    assert (name, ago) == ("block3/loss", 1)
    assert value != value
    assert means.first_bad() is None
