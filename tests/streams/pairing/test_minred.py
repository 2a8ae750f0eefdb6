"""MinRed drops the most redundant rows, as the rule says."""

import pytest
import torch

from streams.pairing.memory import BufferSettings
from streams.pairing.minred import MinRed, Nearest
from tests.helpers.memories import features, filled, held, rows


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
