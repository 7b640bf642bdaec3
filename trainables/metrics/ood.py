"""How well a score tells in-distribution from out-of-distribution images."""

from __future__ import annotations

import numpy as np


def auroc(in_distribution_scores: np.ndarray, out_of_distribution_scores: np.ndarray) -> float:
    """Area under the ROC curve, in [0, 1], with the in-distribution images as the positive class.

    It is the probability that a random in-distribution image scores higher than a random other one, ties
    counted half (Hanley and McNeil 1982): 1 is perfect, 0.5 is chance. That is how it is computed; importing
    scikit-learn for it would cost every trial process 70 MB.

    Scores are `(n,)` and `(m,)`, higher = more in-distribution. Raises `ValueError` if one of them is empty
    or not finite.
    """
    _check("in-distribution", in_distribution_scores)
    _check("out-of-distribution", out_of_distribution_scores)
    others = np.sort(out_of_distribution_scores)
    below = np.searchsorted(others, in_distribution_scores, side="left")
    below_or_equal = np.searchsorted(others, in_distribution_scores, side="right")
    return float(np.mean(below + below_or_equal) / (2 * len(others)))


def _check(kind: str, scores: np.ndarray) -> None:
    if scores.ndim != 1 or len(scores) == 0:
        raise ValueError(f"{kind} scores must be a non-empty (n,), not {scores.shape}.")
    if not np.isfinite(scores).all():
        raise ValueError(f"{kind} scores contain NaN or infinity.")
