import numpy as np
import pytest

from runs.analysis.bootstrap import difference, interval


def test_an_interval_holds_the_mean_as_often_as_it_says():
    random = np.random.default_rng(1)
    hits = sum(low <= 0 <= high for low, high in (interval(random.normal(size=40), draws=500) for _ in range(400)))
    assert 0.91 < hits / 400 < 0.97


def test_an_interval_repeats_itself_and_lies_within_the_values():
    values = np.array([1.0, 2.0, 4.0])
    low, high = interval(values)
    assert (low, high) == interval(values)
    assert 1 <= low < values.mean() < high <= 4


def test_intervals_of_curves_are_those_of_their_points():
    curves = np.random.default_rng(0).normal(size=(5, 7))
    low, high = interval(curves)
    assert low.shape == high.shape == (7,)
    assert (low[3], high[3]) == pytest.approx(interval(curves[:, 3]))


def test_one_value_has_no_interval():
    assert np.isnan(interval(np.array([1.0]))).all()


def test_pairing_by_seed_takes_out_what_seeds_share():
    a, b = {0: 10.0, 1: 20.0, 2: 30.5}, {0: 9.0, 1: 19.1, 2: 29.4}
    mean, low, high, paired = difference(a, b)
    assert paired
    assert mean == pytest.approx(1.0)
    assert 0.89 <= low <= high <= 1.11
    assert difference(a, b | {7: 99.0}) == (mean, low, high, True)
    _, low, high, paired = difference(a, {seed + 10: value for seed, value in b.items()})
    assert not paired
    assert low < -5
    assert high > 5
