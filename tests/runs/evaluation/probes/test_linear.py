import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsClassifier

from runs.evaluation.probes.knn import neighbours
from runs.evaluation.probes.linear import logistic, r2, read_out, ridge


@pytest.mark.parametrize(("rows", "columns"), [(80, 12), (30, 60), (20, 300), (700, 300), (5000, 30)])
def test_ridge_is_scikit_learns_at_every_strength(rows, columns):
    draws = np.random.default_rng(0)
    x, labels = draws.normal(1, 2, (rows, columns)), draws.integers(4, size=rows)
    strengths = (1e-2, 1.0, 1e3)
    y = np.eye(4)[labels]
    weights = [*ridge(torch.from_numpy(x), torch.from_numpy(y), strengths=strengths)]
    for weight, strength in zip(weights, strengths, strict=True):
        oracle = Ridge(alpha=strength, solver="svd").fit(x, y)
        assert np.allclose(weight[:-1].numpy(), oracle.coef_.T, atol=1e-8)
        assert np.allclose(weight[-1].numpy(), oracle.intercept_, atol=1e-8)


def test_ridge_in_units_of_deviations_is_ridge_of_standardised_features():
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(90, 7, generator=draws, dtype=torch.float64) * torch.arange(1, 8) + 3
    y, deviation = torch.randn(90, 2, generator=draws, dtype=torch.float64), x.std(0)
    (weight,) = ridge(x, y, strengths=[5.0], deviation=deviation)
    (scaled,) = ridge((x - x.mean(0)) / deviation, y, strengths=[5.0])
    assert torch.allclose(read_out(x, weight), read_out((x - x.mean(0)) / deviation, scaled))
    assert torch.allclose(weight[:-1] * deviation[:, None], scaled[:-1])


@pytest.mark.parametrize("strength", [0.1, 10.0, 1e3])
@pytest.mark.parametrize(("rows", "columns"), [(90, 6), (40, 60)])
def test_logistic_regression_is_scikit_learns(rows, columns, strength):
    draws = np.random.default_rng(1)
    x, labels = draws.normal(1, 2, (rows, columns)), draws.integers(3, size=rows)
    tensors = torch.from_numpy(x), torch.from_numpy(labels)
    weight = logistic(*tensors, classes=3, strength=strength, tolerance=1e-9)
    oracle = LogisticRegression(C=1 / strength, tol=1e-12, max_iter=100_000).fit(x, labels)
    predictions = read_out(tensors[0], weight).softmax(1).numpy()
    assert np.allclose(predictions, oracle.predict_proba(x), atol=1e-5)
    assert np.array_equal(predictions.argmax(1), oracle.predict(x))
    # in single precision and at the tolerance of a run
    rough = read_out(tensors[0].float(), logistic(tensors[0].float(), tensors[1], classes=3, strength=strength))
    assert np.allclose(rough.softmax(1).numpy(), predictions, atol=2e-2)


def test_logistic_regression_from_another_start_ends_in_the_same_place():
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=draws, dtype=torch.float64)
    labels = torch.randint(3, (60,), generator=draws)
    one = logistic(x, labels, classes=3, strength=1.0, tolerance=1e-9)
    start = torch.randn(one.shape, generator=draws, dtype=torch.float64)
    before = start.clone()
    other = logistic(x, labels, classes=3, strength=1.0, start=start, tolerance=1e-9)
    assert torch.allclose(one[:-1], other[:-1], atol=1e-7)
    assert torch.equal(start, before)


@pytest.mark.parametrize("k", [5, 200])
def test_neighbours_vote_as_scikit_learns_do(k):
    draws = np.random.default_rng(2)
    bank, queries = draws.normal(size=(50, 8)), draws.normal(size=(30, 8))
    labels = draws.integers(3, size=50)
    votes = neighbours(*map(torch.from_numpy, (bank, labels, queries)), classes=3, k=k).numpy()
    oracle = KNeighborsClassifier(
        min(k, 50), metric="cosine", algorithm="brute", weights=lambda far: np.exp((1 - far) / 0.1)
    ).fit(bank, labels)
    assert np.allclose(votes / votes.sum(1, keepdims=True), oracle.predict_proba(queries))


def test_r2_is_scikit_learns_weighted_by_variance():
    draws = np.random.default_rng(3)
    y, predictions = draws.normal(size=(20, 3)) * [1, 5, 0.1], draws.normal(size=(20, 3))
    score = r2(torch.from_numpy(predictions), torch.from_numpy(y))
    assert score == pytest.approx(r2_score(y, predictions, multioutput="variance_weighted"))
