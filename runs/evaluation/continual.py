"""Continual scores of a world that drifts: scores of every phase after every segment of the stream, summed up.

A segment is the time that one phase lasts; where phases recur there are more segments than phases. Legend: I segments,
J phases; R[i, j] is the score on phase j after segment i (from 0), b[j] that of the network before its first update.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def score_matrix(frames: np.ndarray, scores: np.ndarray, *, segment: int) -> np.ndarray:
    """R (I, J): of scores (E, J) at `frames` (E,), those at the end of each segment of `segment` frames.

    A segment's end is its first evaluation at or after its last frame and within the next segment; the row of one that
    has none is nan, and segments that have not ended are left out.
    """
    ends = segment * np.arange(1, frames[-1] // segment + 1)
    at = np.searchsorted(frames, ends)
    return np.where((frames[at] < ends + segment)[:, None], scores[at], np.nan)


def phase_shown(segments: int, *, phases: int, recurring: bool) -> np.ndarray:
    """(I,) the phase that each segment of a stream shows."""
    number = np.arange(segments)
    return number % phases if recurring else np.minimum(number, phases - 1)


def forgetting(matrix: np.ndarray) -> np.ndarray:
    """(J,) `max_t R[t, j] - R[T, j]`: how far below its best each phase ends.

    Chaudhry et al. (2018), "Riemannian walk for incremental learning", equation 3, with the end among the t as well, so
    that it is never below 0.
    """
    return np.fmax.reduce(matrix, axis=0) - matrix[-1]  # which passes over nan, and is nan where all are


def backward_transfer(matrix: np.ndarray, shown: np.ndarray) -> float:
    """Mean over earlier phases of `R[T, j] - R[i_j, j]`, where segment i_j first showed phase j: what later
    segments did to it (Lopez-Paz and Ranzato 2017, "Gradient episodic memory", equation 3). nan where there is no
    earlier phase.
    """
    first = zip(*np.unique(shown, return_index=True), strict=True)
    gains = [matrix[-1, phase] - matrix[i, phase] for phase, i in first if i < len(matrix) - 1]
    return float(np.mean(gains)) if gains else np.nan


def forward_transfer(matrix: np.ndarray, shown: np.ndarray, random: Sequence[float]) -> float:
    """Mean over later phases of `R[i_j - 1, j] - b[j]`: how far above the random encoder a phase is before it was ever
    shown (Lopez-Paz and Ranzato 2017, equation 4). nan where all phases were shown at once.
    """
    first = zip(*np.unique(shown, return_index=True), strict=True)
    gains = [matrix[i - 1, phase] - random[phase] for phase, i in first if i > 0]
    return float(np.mean(gains)) if gains else np.nan


def anytime(frames: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(...) the area under learning curves (E, ...) over `frames` (E,), by the trapezoid rule, as a mean score."""
    if len(frames) < 2:
        return scores[-1]
    return np.trapezoid(scores, frames, axis=0) / (frames[-1] - frames[0])


def summed_up(frames: np.ndarray, scores: np.ndarray, *, phases: int, segment: int, recurring: bool) -> dict[str, Any]:
    """All of the above as JSON, of scores (E, J) at `frames` (E,), the first of which are the random encoder's."""
    matrix = score_matrix(frames, scores, segment=segment)
    summary = {"segment_frames": segment, "random_encoder": scores[0], "matrix": matrix}
    summary["anytime"] = anytime(frames, scores)
    if len(matrix):
        summary["shown"] = shown = phase_shown(len(matrix), phases=phases, recurring=recurring)
        summary["forgetting"] = forgetting(matrix)
        summary["backward_transfer"] = backward_transfer(matrix, shown)
        summary["forward_transfer"] = forward_transfer(matrix, shown, scores[0])
    return {name: np.asarray(np.where(np.isnan(value), None, value)).tolist() for name, value in summary.items()}
