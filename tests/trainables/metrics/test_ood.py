from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from trainables.metrics import ood
from trainables.metrics.ood import auroc, detection, placements


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
    # OpenOOD 1.5: out-of-distribution is positive, and the first threshold that finds 95% of it counts.
    fpr, tpr, _ = roc_curve(~positive, -scores, drop_intermediate=False)
    assert found["fpr95_out"].value == pytest.approx(fpr[np.argmax(tpr >= 0.95)], rel=1e-12)


def test_placements_are_shares_of_the_other_set_with_ties_counted_half() -> None:
    known, other = np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0])
    of_known, of_others = placements(known, other)
    assert of_known.tolist() == [0.5, 0.75, 1.0]
    assert of_others.tolist() == [1.0, 0.5]


def test_the_two_conventions_of_fpr95_differ_where_the_sets_do() -> None:
    """A tenth of the other images score as high as the highest: no threshold rejects 95% of them and accepts any."""
    known, other = np.arange(100.0), np.append(np.full(90, -1.0), np.full(10, 99.0))
    found = detection(known, other, 2)
    assert found["fpr95"].value == pytest.approx(0.1)
    assert found["fpr95_out"].value == 1.0


def test_in_distribution_is_the_positive_class() -> None:
    perfect = detection(np.array([2.0, 3.0, 4.0]), np.array([0.0, 1.0]), 10)
    assert {name: found.value for name, found in perfect.items()} == {
        "auroc": 1.0,
        "aupr_in": 1.0,
        "aupr_out": 1.0,
        "fpr95": 0.0,
        "fpr95_out": 0.0,
    }
    turned_round = detection(np.array([0.0, 1.0]), np.array([2.0, 3.0, 4.0]), 10)
    assert turned_round["auroc"].value == 0.0
    assert turned_round["fpr95"].value == 1.0
    assert turned_round["fpr95_out"].value == 1.0
    assert turned_round["aupr_in"].value < 0.5


@pytest.mark.parametrize("held", [1, 5000, 10**9])
def test_the_resamples_are_those_of_a_loop(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ood, "COUNTS_HELD", held)
    known, other = some_scores(1)
    found = detection(known, other, resamples=100, seed=3)["fpr95"]
    rng = np.random.default_rng(3)
    of_known, of_other = rng.integers(150, size=(100, 150)), rng.integers(90, size=(100, 90))
    values = []
    for i, j in zip(of_known, of_other, strict=True):
        scores, positive = np.concatenate([known[i], other[j]]), np.arange(240) < 150
        fpr, tpr, _ = roc_curve(positive, scores, drop_intermediate=False)
        values.append(fpr[tpr >= 0.95].min())
    np.testing.assert_allclose([found.low, found.high], np.quantile(values, [0.025, 0.975]), rtol=1e-12)


def coverage(area: float, n: int, repetitions: int) -> dict[str, float]:
    """How often the intervals of normal scores with one deviation cover the truth, with `n` images in each set."""
    shift = norm.ppf(area) * np.sqrt(2)
    rng = np.random.default_rng(1000)
    many = detection(rng.normal(shift, 1, 200_000), rng.normal(0, 1, 200_000), resamples=1)
    truth = {name: interval.value for name, interval in many.items()}
    assert truth["auroc"] == pytest.approx(area, abs=3e-3)
    covered = dict.fromkeys(truth, 0)
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        for name, interval in detection(rng.normal(shift, 1, n), rng.normal(0, 1, n), 300, seed=seed).items():
            assert interval.low < interval.high
            covered[name] += interval.low <= truth[name] <= interval.high
    return {name: count / repetitions for name, count in covered.items()}


def test_the_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Normal scores one deviation apart, 200 sets of 100: 95% within three standard errors; average precision 93%."""
    margin = 3 * np.sqrt(0.95 * 0.05 / 200)
    for name, share in coverage(norm.cdf(1 / np.sqrt(2)), 100, 200).items():
        promised = 0.93 if name.startswith("aupr") else 0.95
        assert share == pytest.approx(promised, abs=margin), name


@pytest.mark.parametrize(("area", "n"), [(0.998, 200), (0.999, 360)])
def test_near_a_perfect_score_they_cover_it_no_less_often(area: float, n: int) -> None:
    for name, share in coverage(area, n, 150).items():
        assert share >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150), name


@pytest.mark.parametrize("n", [3, 50, 1000])
def test_perfect_scores_have_intervals_that_end_at_what_they_may_have_missed(n: int) -> None:
    found = detection(np.arange(n) + 5000.0, np.arange(n) * 1.0, 50)
    assert found["auroc"].low == pytest.approx(n / (n + 1.96**2), abs=1e-4)
    for name in ("aupr_in", "aupr_out"):
        assert found[name].high == 1.0
        # Errors above everything cost precision more than they cost area: it is the first images that they precede.
        assert 1 - 10 * (1 - found["auroc"].low) < found[name].low < found["auroc"].low
    for name in ("fpr95", "fpr95_out"):
        assert found[name].low == 0.0
        if n == 1000:
            assert found[name].high == pytest.approx(1.96**2 / (n + 1.96**2), abs=1e-4)
        else:
            # So few images do not even say where the 95% end.
            assert found[name].high == 1.0


def test_no_interval_of_constant_scores_has_no_width() -> None:
    for name, interval in detection(np.ones(50), np.ones(40), 50).items():
        assert interval.low <= interval.value <= interval.high, name
        assert interval.high - interval.low > 0.05, name


def test_an_interval_holds_its_value_even_where_all_resamples_are_on_one_side() -> None:
    rng = np.random.default_rng(0)
    for interval in detection(rng.normal(-4, 1, 300), rng.normal(0, 1, 300)).values():
        assert interval.low <= interval.value <= interval.high
