import pytest
import torch

from envs.errors import SettingError
from learners.rules.base import LearnerSettings
from learners.rules.schedules import GreedySettings, Plateau, Schedule, greedy, random
from tests.helpers.learners import batches, learner, same, weights


def moved(before, after):
    """The blocks and heads whose weights changed, as names like blocks.1."""
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    return {".".join(name.split(".")[:2]) for name in changed}


@pytest.mark.parametrize("rule", ["dgl", "gll", "rll"])
def test_block_twos_loss_leaves_block_ones_gradient_exactly_zero(rule):
    layers = learner(rule, stop_gradient=False)
    layers.schedule = Schedule(4, lambda update: 1)
    layers.learn(batches(1)[0])
    assert all(p.grad is None or not p.grad.any() for p in layers.network.blocks[0].parameters())
    assert any(p.grad.any() for p in layers.network.blocks[1].parameters())


def test_in_simultaneous_learning_too_a_blocks_gradient_is_its_own_losses():
    pairs = batches(1)[0]
    every, alone = learner("dgl"), learner("dgl")
    every.learn(pairs)
    alone.schedule = Schedule(4, lambda update: 0)
    alone.learn(pairs)
    for a, b in zip(every.network.blocks[0].parameters(), alone.network.blocks[0].parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_layer_wise_with_one_block_is_end_to_end():
    pairs = batches(4)
    one, end = learner("dgl"), learner("urf")
    for rule in (one, end):
        rule.network.blocks, rule.network.heads = rule.network.blocks[:1], learner("dgl").network.heads[:1]
        rule.losses, rule.optimiser = rule.losses[:1], torch.optim.Adam(rule.network.parameters(), lr=1e-3)
    one.schedule = Schedule(1)
    for batch in pairs:
        assert torch.equal(one.update(batch)["loss"], end.update(batch)["loss"])
    end_weights = weights(end)
    assert all(torch.equal(value, end_weights[name]) for name, value in weights(one).items())


def test_greedy_learns_one_block_after_another_and_freezes_the_rest():
    rule = learner("gll", updates=8)
    for update, pairs in enumerate(batches(10)):
        before = weights(rule)
        rule.update(pairs)
        block = min(update // 2, 3)
        assert moved(before, weights(rule)) == {f"blocks.{block}", f"heads.{block}"}


def test_random_learns_one_block_an_update_and_only_that():
    rule = learner("rll")
    for update, pairs in enumerate(batches(6)):
        before = weights(rule)
        rule.update(pairs)
        block = rule.schedule(update).start
        assert moved(before, weights(rule)) == {f"blocks.{block}", f"heads.{block}"}


def test_random_visits_blocks_uniformly_and_is_a_function_of_the_seed():
    one, other = (random(4, LearnerSettings(), updates=0, seed=seed) for seed in (3, 4))
    visits = torch.tensor([one(update).start for update in range(8000)])
    assert torch.allclose(visits.bincount() / 8000, torch.tensor(0.25), atol=0.02)
    assert (visits != torch.tensor([other(update).start for update in range(8000)])).any()


def test_greedy_shares_the_updates_equally():
    visits = torch.tensor([greedy(4, GreedySettings(), updates=100, seed=0)(update).start for update in range(120)])
    assert visits.bincount().tolist() == [25, 25, 25, 45]


def test_turns_go_round_and_round_without_an_end():
    schedule = greedy(3, GreedySettings(turns="rotate", patience=5), updates=1, seed=0)
    assert [schedule(update).start for update in range(0, 40, 5)] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert schedule(10**9).start == 10**9 // 5 % 3


def test_a_block_learns_until_its_loss_stops_falling():
    schedule, visited = Plateau(2, patience=4, min_delta=0.1), []
    losses = [8.0, 6, 4, 3.9, 5, 4.9, 2]  # of windows: block 1 falls twice, then stops; block 2 falls not at all
    for loss in losses:
        for _ in range(4):
            visited.append(schedule(0).start)
            schedule.observe(torch.tensor(loss))
    assert visited[::4] == [0, 0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("turns", ["rotate", "plateau"])
def test_a_greedy_learner_without_an_end_goes_on_bit_for_bit(turns):
    pairs = batches(20)
    straight, half, resumed = (learner("gll", turns=turns, patience=2, updates=1) for _ in range(3))
    visited = []
    for batch in pairs:
        visited.append(straight.schedule(straight.updates).start)
        straight.update(batch)
    assert len(set(visited)) > 2
    for batch in pairs[:11]:
        half.update(batch)
    resumed.load_state_dict(half.state_dict())
    for batch in pairs[11:]:
        resumed.update(batch)
    assert same(straight.state_dict(), resumed.state_dict())


def test_turns_that_make_no_sense_are_refused():
    with pytest.raises(SettingError, match="learner.turns=rotating is unknown; did you mean rotate"):
        learner("gll", turns="rotating")
    with pytest.raises(SettingError, match="learner.patience=0"):
        learner("gll", turns="rotate", patience=0)
