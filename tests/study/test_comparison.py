"""Intervals and tests, against published examples, exact counts and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.claims import CASES, coverage
from study.comparison import ALPHA, BOOTSTRAP_FROM, of_one, of_paired_shares, of_share, of_shares, of_two


def successes(number, n):
    return np.array([1.0] * number + [0.0] * (n - number))


def test_the_interval_is_never_narrower_than_welchs_and_the_p_value_says_what_the_interval_says():
    rng = np.random.default_rng(0)
    wider = 0
    for _ in range(60):
        low, high = rng.exponential(1, BOOTSTRAP_FROM + 2), rng.exponential(1.7, BOOTSTRAP_FROM + 1)
        found, welch = of_two(low, high), stats.ttest_ind(high, low, equal_var=False)
        interval = welch.confidence_interval(0.95)
        assert found.least <= interval.low + 1e-12
        assert found.most >= interval.high - 1e-12
        wider += found.most - found.least > 1.05 * (interval.high - interval.low)
        assert (found.least > 0) == (found.p_above <= ALPHA / 2)
        assert (found.most < 0) == (found.p_below <= ALPHA / 2)
    assert wider > 10


def test_comparisons_are_the_same_each_time_and_turned_around():
    low, high = np.arange(10.0) ** 2, np.arange(12.0) ** 2 + 3
    assert of_two(low, high) == of_two(low, high)
    turned = of_one(-(high - 40))
    assert of_one(high - 40).difference == -turned.difference


def test_the_interval_of_two_shares_is_newcombes():
    """The first example of Newcombe (1998), table II: 56/70 and 48/80, method 10: 0.0524 to 0.3339."""
    found = of_shares(successes(48, 80), successes(56, 70))
    assert (found.least, found.most) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_the_test_of_a_share_is_the_exact_one():
    found = of_share(successes(9, 10), 0.5)
    assert found.p_above == pytest.approx((1 + 10) / 2**10)
    assert found.least > 0
    assert of_share(successes(8, 10), 0.5).least < 0  # 56/1024 is above 0.025


def test_the_test_of_paired_shares_counts_pairs_that_differ():
    found = of_paired_shares(np.array([1.0] * 6 + [0.0] * 4))
    assert found.p_above == pytest.approx(1 / 2**6)
    assert found.difference == 0.6
    assert found.least > 0
    assert of_paired_shares(np.array([1.0] * 5 + [0.0] * 5)).least < 0
    assert of_paired_shares(np.zeros(10)).p_above == 1.0


def test_no_false_side_of_equal_shares_more_often_than_planned():
    rng, decided = np.random.default_rng(0), 0
    for _ in range(150):
        low, high = (successes(rng.binomial(10, 0.6), 10) for _ in range(2))
        found = of_shares(low, high)
        decided += found.least >= 0 or found.most <= 0
    assert decided / 150 <= 0.05


@pytest.mark.parametrize(
    "case", ["normal", "deviations 1:3", "exponential 1:2", "one in three astray", "against a number, astray"]
)
def test_at_ten_values_the_interval_covers_the_truth(case):
    """The planned number of values: also where they are skewed, or one run in three goes astray."""
    assert coverage(CASES[case], n=10, studies=300) >= 0.93


def test_students_interval_alone_would_not():
    draw, truth = CASES["one in three astray"]
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        low, high = draw(rng, 10)
        interval = stats.ttest_ind(high, low, equal_var=False).confidence_interval(0.95)
        covered += interval.low <= truth <= interval.high
    assert covered / 300 < 0.92


def test_equal_values_have_no_interval():
    found = of_two(np.full(10, 0.1), np.full(10, 0.3))
    assert (found.least, found.most) == (-math.inf, math.inf)
