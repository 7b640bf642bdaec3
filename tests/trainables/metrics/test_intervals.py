from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm, t

from trainables.metrics.intervals import auroc_interval, freedom, logit_interval, student_quantile, wilson
from trainables.metrics.ood import auroc, placements


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (3, 20), (997, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_is_scipys(successes, n, confidence):
    expected = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson(successes / n, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("freedom", [2, 2.5, 4, 10, 100, 1e6])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_students_quantile_is_scipys(freedom, confidence):
    assert student_quantile(freedom, confidence) == pytest.approx(t.ppf((1 + confidence) / 2, freedom), rel=0.01)


def test_a_logit_interval_is_symmetric_in_the_logit():
    low, high = logit_interval(0.9, 0.02, 5.0)
    centre, half = np.log(9), t.ppf(0.975, 5) * 0.02 / 0.09
    assert [np.log(low / (1 - low)), np.log(high / (1 - high))] == pytest.approx(
        [centre - half, centre + half], rel=1e-3
    )


def test_a_logit_interval_may_be_everything():
    assert logit_interval(0.5, 1e6, 1.0) == pytest.approx((0, 1))


def delong(known, others):
    """Area, variance and degrees of freedom by loops over all pairs, as in the papers."""
    order = [[(a > b) + 0.5 * (a == b) for b in others] for a in known]
    area = np.mean(order)
    of_known, of_others = np.mean(order, axis=1), np.mean(order, axis=0)
    variances, degrees = [], []
    for structural in (of_known, of_others):
        variances.append(sum((v - area) ** 2 for v in structural) / (len(structural) - 1) / len(structural))
        errors = [1 - v if area > 0.5 else v for v in structural]
        degrees.append(max(1, sum(errors) ** 2 / sum(e**2 for e in errors) - 1))
    satterthwaite = sum(variances) ** 2 / sum(v**2 / d for v, d in zip(variances, degrees, strict=True))
    return area, sum(variances), satterthwaite


@pytest.mark.parametrize("shift", [-1.0, 0.2, 1.0, 2.5])
@pytest.mark.parametrize("rounded", [1, 9])
def test_the_interval_of_the_area_is_delongs_in_the_logit(shift, rounded):
    rng = np.random.default_rng(0)
    known, others = rng.normal(shift, 1, 60).round(rounded), rng.normal(0, 2, 90).round(rounded)
    area, variance, degrees = delong(known, others)
    found = auroc_interval(*placements(known, others))
    assert found.value == pytest.approx(area, rel=1e-12)
    assert freedom(*placements(known, others)) == pytest.approx(degrees, rel=1e-9)
    assert (found.low, found.high) == pytest.approx(logit_interval(area, variance**0.5, degrees), rel=1e-9)


def test_delongs_variance_is_that_of_many_repetitions():
    rng = np.random.default_rng(0)
    areas, variances = [], []
    for _ in range(2000):
        area, variance = fast_delong(rng.normal(1, 1, 40), rng.normal(0, 2, 60))
        areas.append(area)
        variances.append(variance)
    assert np.mean(variances) == pytest.approx(np.var(areas), rel=0.1)


def fast_delong(known, others):
    of_known, of_others = placements(known, others)
    return of_known.mean(), of_known.var(ddof=1) / len(known) + of_others.var(ddof=1) / len(others)


@pytest.mark.parametrize(
    ("area", "n", "m", "deviation"),
    [
        (0.998, 200, 200, 1.0),
        (0.998, 200, 200, 3.0),
        (0.998, 1000, 100, 3.0),
        (0.9998, 1000, 1000, 1.0),
        (0.99, 20, 20, 1.0),
        (0.84, 100, 100, 1.0),
        (0.5, 30, 60, 1.0),
        (0.02, 200, 200, 1.0),
    ],
)
def test_the_intervals_cover_the_area_as_often_as_they_say_or_more_often(area, n, m, deviation):
    """Normal scores, 1,000 pairs of sets; three standard errors below 95% are 93%."""
    rng = np.random.default_rng(0)
    shift = norm.ppf(area) * np.sqrt(1 + deviation**2)
    covered = 0
    for _ in range(1000):
        found = auroc_interval(*placements(rng.normal(shift, 1, n), rng.normal(0, deviation, m)))
        covered += found.low <= area <= found.high
    assert covered / 1000 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_with_many_images_they_are_as_narrow_as_the_normal_distribution_has_it():
    rng = np.random.default_rng(0)
    known, others = rng.normal(2, 1, 5000), rng.normal(0, 1, 5000)
    found = auroc_interval(*placements(known, others))
    _, variance = fast_delong(known, others)
    assert found.high - found.low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.02)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (200, 40), (1, 1), (1, 30)])
def test_a_perfect_score_reaches_as_far_as_a_share_of_the_smaller_set_that_was_always_right(n, m):
    found = auroc_interval(*placements(np.arange(n) + 1000.0, np.arange(m) * 1.0))
    assert (found.value, found.high) == (1.0, 1.0)
    k = min(n, m)
    assert found.low == pytest.approx(k / (k + 1.96**2), abs=1e-4)
    turned_round = auroc_interval(*placements(np.arange(m) * 1.0, np.arange(n) + 1000.0))
    assert (turned_round.low, turned_round.high) == pytest.approx((0.0, 1 - found.low))


def test_a_single_wrong_pair_is_not_taken_for_certainty():
    """By the normal distribution it would be known to four digits, and a perfect score to two."""
    known, others = np.arange(200) + 200.0, np.arange(200) * 1.0
    perfect = auroc_interval(*placements(known, others))
    others[-1] = 200.5
    found = auroc_interval(*placements(known, others))
    assert found.value == auroc(known, others) == pytest.approx(1 - 1 / 40_000, rel=1e-12)
    assert 1 - found.low > 0.5 * (1 - perfect.low)


def test_a_constant_score_is_no_certain_chance():
    found = auroc_interval(*placements(np.ones(50), np.ones(40)))
    assert found.value == 0.5
    assert (found.low, found.high) == wilson(0.5, 40)
