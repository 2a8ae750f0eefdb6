import numpy as np

from runs.page.sections.embedding import principal_maps


def test_maps_are_the_principal_components_up_to_a_turn():
    x = np.random.default_rng(0).normal(size=(1, 30, 8)) * np.array([9, 5, 1, 1, 1, 1, 1, 1])
    xy, share = principal_maps(x)
    assert xy.shape == (1, 30, 2)
    assert 0 <= xy.min() <= xy.max() <= 1
    assert abs(np.corrcoef(xy[0, :, 0], x[0, :, 0])[0, 1]) > 0.9
    assert 0.8 < share[0] < 1


def test_a_turned_code_gives_the_same_map_so_that_nothing_jumps():
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 6)) * np.array([9, 5, 1, 1, 1, 1])
    turn, _ = np.linalg.qr(random.normal(size=(6, 6)))
    xy, _ = principal_maps(np.stack([x @ turn, -x, x]))
    assert np.allclose(xy[0], xy[2], atol=1e-6)
    assert np.allclose(xy[1], xy[2], atol=1e-6)


def test_a_collapsed_code_is_a_point():
    xy, share = principal_maps(np.ones((2, 5, 3)))
    assert np.isfinite(xy).all()
    assert np.isfinite(share).all()
