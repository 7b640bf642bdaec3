from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from trainables.metrics.ood import auroc, detection


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


def some_scores(seed, n=150, m=90, levels=12):
    rng = np.random.default_rng(seed)
    return rng.integers(0, levels, n) + 2.0, rng.integers(0, levels, m) * 1.0


@pytest.mark.parametrize("levels", [2, 12, 100_000])
def test_detection_agrees_with_scikit_learn_with_ties(levels: int) -> None:
    known, other = some_scores(0, levels=levels)
    scores, positive = np.concatenate([known, other]), np.arange(240) < 150
    found = detection(known, other, resamples=2)
    assert found["auroc"].value == pytest.approx(roc_auc_score(positive, scores), rel=1e-12)
    assert found["auroc"].value == pytest.approx(auroc(known, other), rel=1e-12)
    assert found["aupr_in"].value == pytest.approx(average_precision_score(positive, scores), rel=1e-12)
    assert found["aupr_out"].value == pytest.approx(average_precision_score(~positive, -scores), rel=1e-12)
    fpr, tpr, _ = roc_curve(positive, scores, drop_intermediate=False)
    assert found["fpr95"].value == pytest.approx(fpr[tpr >= 0.95].min(), rel=1e-12)


def test_in_distribution_is_the_positive_class() -> None:
    perfect = detection(np.array([2.0, 3.0, 4.0]), np.array([0.0, 1.0]), 10)
    assert {name: found.value for name, found in perfect.items()} == {
        "auroc": 1.0,
        "aupr_in": 1.0,
        "aupr_out": 1.0,
        "fpr95": 0.0,
    }
    turned_round = detection(np.array([0.0, 1.0]), np.array([2.0, 3.0, 4.0]), 10)
    assert turned_round["auroc"].value == 0.0
    assert turned_round["fpr95"].value == 1.0
    assert turned_round["aupr_in"].value < 0.5


def test_the_resamples_are_those_of_a_loop() -> None:
    known, other = some_scores(1)
    found = detection(known, other, resamples=300, seed=3)["auroc"]
    rng = np.random.default_rng(3)
    of_known, of_other = rng.integers(150, size=(300, 150)), rng.integers(90, size=(300, 90))
    values = [auroc(known[i], other[j]) for i, j in zip(of_known, of_other, strict=True)]
    np.testing.assert_allclose([found.low, found.high], np.quantile(values, [0.025, 0.975]), rtol=1e-12)


def test_the_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Normal scores one deviation apart, 200 sets of 100: 95% within three standard errors; average precision 91%."""
    rng = np.random.default_rng(1000)
    many = detection(rng.normal(1, 1, 200_000), rng.normal(0, 1, 200_000), resamples=1)
    truth = {name: interval.value for name, interval in many.items()}
    assert truth["auroc"] == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=3e-3)
    covered = dict.fromkeys(truth, 0)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        for name, interval in detection(rng.normal(1, 1, 100), rng.normal(0, 1, 100), 300, seed=seed).items():
            covered[name] += interval.low <= truth[name] <= interval.high
    margin = 3 * np.sqrt(0.95 * 0.05 / 200)
    for name, count in covered.items():
        promised = 0.91 if name.startswith("aupr") else 0.95
        assert count / 200 == pytest.approx(promised, abs=margin), name


def test_an_interval_holds_its_value_even_where_all_resamples_are_on_one_side() -> None:
    rng = np.random.default_rng(0)
    for interval in detection(rng.normal(-4, 1, 300), rng.normal(0, 1, 300)).values():
        assert interval.low <= interval.value <= interval.high
