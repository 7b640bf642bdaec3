from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from trainables.metrics import auroc


def share_of_ordered_pairs(positive: np.ndarray, negative: np.ndarray) -> float:
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    return sum(pairs) / len(pairs)


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_is_the_share_of_pairs_in_the_right_order_with_ties_counted_half(levels: int) -> None:
    rng = np.random.default_rng(0)
    known = rng.integers(0, levels, 60).astype(np.float32)
    other = rng.integers(-1, levels - 1, 40).astype(np.float32)
    assert auroc(known, other) == pytest.approx(share_of_ordered_pairs(known, other), rel=1e-12)


def test_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    known, other = rng.normal(0.5, 1, 1000).round(1), rng.normal(0, 1, 700).round(1)
    expected = roc_auc_score(np.arange(1700) < 1000, np.concatenate([known, other]))
    assert auroc(known, other) == pytest.approx(expected, rel=1e-12)


def test_is_one_if_known_images_score_higher_and_zero_if_lower() -> None:
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0, -1.0])) == 1.0
    assert auroc(np.array([0.0, 1.0, -1.0]), np.array([2.0, 3.0])) == 0.0


def test_of_a_constant_score_is_chance() -> None:
    assert auroc(np.ones(10), np.ones(3)) == 0.5


@pytest.mark.parametrize(
    ("known", "other", "message"),
    [
        (np.array([]), np.ones(3), "^in-distribution scores must be a non-empty"),
        (np.ones(3), np.array([]), "^out-of-distribution scores must be a non-empty"),
        (np.ones((3, 1)), np.ones(3), "non-empty"),
        (np.ones(3), np.array([0.0, np.nan]), "NaN"),
        (np.array([0.0, np.inf]), np.ones(3), "infinity"),
    ],
)
def test_refuses_other_scores(known: np.ndarray, other: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auroc(known, other)
