import numpy as np
import pytest
from scipy.stats import bootstrap

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


@pytest.mark.parametrize("shape", [(3,), (50,), (7, 9)])
def test_an_interval_is_that_of_scipys_percentile_bootstrap(shape):
    values = np.random.default_rng(2).normal(size=shape)
    options = {"n_resamples": 10_000, "batch": 1000, "confidence_level": 0.95, "method": "percentile"}
    theirs = bootstrap((values,), np.mean, rng=np.random.default_rng(0), **options).confidence_interval
    assert np.allclose(interval(values), theirs, rtol=0, atol=1e-15)


def test_one_value_has_no_interval():
    assert np.isnan(interval(np.array([1.0]))).all()


def test_pairing_by_seed_takes_out_what_seeds_share():
    a, b = {0: 10.0, 1: 20.0, 2: 30.5}, {0: 9.0, 1: 19.1, 2: 29.4}
    paired = difference(a, b)
    assert paired.paired
    assert paired.mean == pytest.approx(1.0)
    assert 0.89 <= paired.low <= paired.high <= 1.11
    assert difference(a, b | {7: 99.0}) == paired
    unpaired = difference(a, {seed + 10: value for seed, value in b.items()})
    assert not unpaired.paired
    assert unpaired.low < -5
    assert unpaired.high > 5
    assert unpaired == difference(a, {seed + 10: value for seed, value in b.items()})


@pytest.mark.filterwarnings("error")
def test_seeds_that_are_all_alike_have_an_interval_of_one_point():
    assert interval(np.full(4, 0.25)) == (0.25, 0.25)
    low, high = interval(np.array([[1.0, np.nan], [3.0, 2.0]]))
    assert 1 <= low[0] <= high[0] <= 3
    assert np.isnan([low[1], high[1]]).all()
