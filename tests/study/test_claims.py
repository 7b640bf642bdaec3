from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from search_spaces.claim import Claim, where
from study.claims import judge

GROUPS = Claim("Deep is lower.", "a document", "energy", lower=where(model="deep"), higher=where(model="plain"))
NUMBER = Claim("Deep is above 1.", "a document", "energy", lower=1.0, higher=where(model="deep"))


def trials(**values):
    """One trial a model, whose seeds have these values."""
    return [({"model": model}, [{"energy": value} for value in of_model]) for model, of_model in values.items()]


def test_the_interval_is_welchs():
    deep, plain = [1.0, 1.3, 0.9], [2.0, 2.9, 2.2, 2.1]
    outcome = judge(GROUPS, trials(deep=deep, plain=plain))
    expected = stats.ttest_ind(plain, deep, equal_var=False).confidence_interval(0.95)
    assert outcome.interval == pytest.approx((expected.low, expected.high))
    assert outcome.difference == pytest.approx(np.mean(plain) - np.mean(deep))


def test_against_a_number_it_is_students():
    deep = [1.2, 1.3, 1.1]
    outcome = judge(NUMBER, trials(deep=deep))
    expected = stats.ttest_1samp(deep, 1.0).confidence_interval(0.95)
    assert outcome.interval == pytest.approx((expected.low - 1, expected.high - 1))
    assert outcome.verdict == "undecided"  # 0.2 +- 0.25


@pytest.mark.parametrize(
    ("deep", "plain", "verdict"),
    [
        ([1.0, 1.1, 0.9], [2.0, 2.1, 1.9], "supported"),
        ([2.0, 2.1, 1.9], [1.0, 1.1, 0.9], "contradicted"),
        ([1.0, 2.0, 3.0], [1.5, 2.5, 3.5], "undecided"),
        ([1.0], [2.0, 2.1, 1.9], "undecided"),
        ([], [2.0, 2.1], "undecided"),
    ],
)
def test_the_verdict_follows_from_the_interval(deep, plain, verdict):
    assert judge(GROUPS, trials(deep=deep, plain=plain)).verdict == verdict


@pytest.mark.parametrize("value", [1.0, 0.1, 1e-300])
@pytest.mark.parametrize("n", [2, 3, 20])
def test_equal_values_alone_decide_nothing(value, n):
    """0.1 three times has a variance above 0 in floating point."""
    for other in (value, 8.0):
        outcome = judge(GROUPS, trials(deep=[value] * n, plain=[other] * n))
        assert outcome.interval == (-math.inf, math.inf)
        assert outcome.verdict == "undecided"
    assert judge(NUMBER, trials(deep=[value] * n)).verdict == "undecided"


def test_a_group_of_equal_values_is_taken_to_vary_as_much_as_the_other():
    constant, plain = [1.0, 1.0, 1.0], [2.0, 2.9, 2.2, 2.1]
    spread = np.std(plain, ddof=1)
    as_varied = [1.0 - spread, 1.0, 1.0 + spread]
    expected = stats.ttest_ind(plain, as_varied, equal_var=False).confidence_interval(0.95)
    assert judge(GROUPS, trials(deep=constant, plain=plain)).interval == pytest.approx((expected.low, expected.high))
    turned = judge(GROUPS, trials(deep=plain, plain=constant))
    assert turned.interval == pytest.approx((-expected.high, -expected.low))


def test_each_seed_is_a_value_wherever_it_was_trained():
    deep, plain = [1.0, 1.3, 0.9], [2.0, 2.9, 2.2]
    apart = [
        ({"model": model, "rate": i}, [{"energy": v}])
        for model, vs in (("deep", deep), ("plain", plain))
        for i, v in enumerate(vs)
    ]
    together = judge(GROUPS, trials(deep=deep, plain=plain))
    assert together == judge(GROUPS, apart)
    assert together.lower == tuple(deep)
    assert together.higher == tuple(plain)


def test_other_trials_and_missing_metrics_do_not_count():
    others = [
        ({"model": "other"}, [{"energy": 9.0}]),
        ({"model": "deep"}, [{"modes": 9.0}]),
        ({"rate": 1}, [{"energy": 9.0}]),
        ({"model": "plain"}, [{"energy": math.nan}, {"energy": math.inf}]),
        ({"model": "deep"}, []),
    ]
    outcome = judge(GROUPS, trials(deep=[1.0, 1.1], plain=[2.0, 2.1]) + others)
    assert outcome.lower == (1.0, 1.1)
    assert outcome.higher == (2.0, 2.1)


def test_of_true_null_hypotheses_one_in_twenty_looks_decided():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 2, 3))
    decided = [judge(GROUPS, trials(deep=deep, plain=plain)).verdict != "undecided" for deep, plain in values]
    assert 0.02 < np.mean(decided) < 0.07  # Welch's test is a little too careful with three values
