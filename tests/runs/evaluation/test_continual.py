import numpy as np
import pytest

from runs.evaluation.continual import (
    anytime,
    backward_transfer,
    forgetting,
    forward_transfer,
    phase_shown,
    score_matrix,
    summed_up,
)

R = np.array([[0.8, 0.3, 0.2], [0.6, 0.9, 0.4], [0.5, 0.7, 0.9]])  # three phases, each shown once
RANDOM = [0.2, 0.2, 0.1]


@pytest.mark.filterwarnings("error")
def test_a_phase_that_is_never_scored_has_no_forgetting_and_is_no_warning():
    summary = summed_up(np.array([0, 50, 100]), np.array([[0.2, np.nan]] * 3), phases=2, segment=50, recurring=True)
    assert summary["forgetting"] == [0, None]


def test_forgetting_is_how_far_each_phase_ends_below_its_best():
    assert forgetting(R) == pytest.approx([0.3, 0.2, 0.0])


def test_transfer_is_lopez_paz_and_ranzatos():
    shown = phase_shown(3, phases=3, recurring=False)
    assert backward_transfer(R, shown) == pytest.approx(((0.5 - 0.8) + (0.7 - 0.9)) / 2)
    assert forward_transfer(R, shown, RANDOM) == pytest.approx(((0.3 - 0.2) + (0.4 - 0.1)) / 2)


def test_where_phases_recur_a_phase_is_first_shown_once():
    assert phase_shown(5, phases=2, recurring=True).tolist() == [0, 1, 0, 1, 0]
    assert phase_shown(5, phases=2, recurring=False).tolist() == [0, 1, 1, 1, 1]
    twice = np.concatenate([R, R - 0.1])
    shown = phase_shown(6, phases=3, recurring=True)
    gains = [0.4 - 0.8, 0.6 - 0.9, 0.8 - 0.9]
    assert backward_transfer(twice, shown) == pytest.approx(np.mean(gains))
    assert forward_transfer(twice, shown, RANDOM) == pytest.approx(0.2)


def test_a_segment_that_has_shown_all_there_is_transfers_to_nothing():
    assert np.isnan(backward_transfer(R[:1], np.array([0])))
    assert np.isnan(forward_transfer(R[:1], np.array([0]), RANDOM))


def test_a_row_is_the_first_score_after_its_segment_and_unfinished_ones_have_none():
    frames, scores = np.array([0, 60, 104, 150, 290, 310]), np.arange(6.0)[:, None]
    matrix = score_matrix(frames, scores, segment=100)
    assert np.array_equal(matrix, [[2], [4], [5]])
    assert np.array_equal(score_matrix(frames[[0, 1, 5]], scores[[0, 1, 5]], segment=100), [[np.nan]] * 2 + [[5]], True)
    assert score_matrix(frames[:2], scores[:2], segment=100).shape == (0, 1)


def test_the_area_under_a_curve_is_its_mean_over_frames():
    assert anytime(np.array([0, 10, 40]), np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])) == pytest.approx([0.875, 1.0])
    assert anytime(np.array([0]), np.array([[0.3]])) == pytest.approx([0.3])


def test_a_run_that_ended_no_segment_has_its_curve_summed_up_alone():
    summary = summed_up(np.array([0, 50]), np.array([[0.2], [0.4]]), phases=1, segment=100, recurring=True)
    assert summary == {"segment_frames": 100, "random_encoder": [0.2], "matrix": [], "anytime": [pytest.approx(0.3)]}
