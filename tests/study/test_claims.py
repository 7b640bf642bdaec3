from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from search_spaces import Claim
from search_spaces.space import where
from study.claims import judge

GROUPS = Claim("deep is lower", "a document", "energy", lower=where(model="deep"), higher=where(model="plain"))
NUMBER = Claim("deep is above 1", "a document", "energy", lower=1.0, higher=where(model="deep"))


def trials(**values):
    return [({"model": model, "seed": i}, {"energy": v}) for model, vs in values.items() for i, v in enumerate(vs)]


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
        ([8.0, 8.0], [8.0, 8.0], "undecided"),
        ([7.0, 7.0], [8.0, 8.0], "supported"),
        ([1.0], [2.0, 2.1, 1.9], "undecided"),
        ([], [2.0, 2.1], "undecided"),
    ],
)
def test_the_verdict_follows_from_the_interval(deep, plain, verdict):
    assert judge(GROUPS, trials(deep=deep, plain=plain)).verdict == verdict


def test_other_trials_and_missing_metrics_do_not_count():
    others = [
        ({"model": "other"}, {"energy": 9.0}),
        ({"model": "deep"}, {"modes": 9.0}),
        ({"seed": 1}, {"energy": 9.0}),
    ]
    others.append(({"model": "plain"}, {"energy": math.nan}))
    outcome = judge(GROUPS, trials(deep=[1.0, 1.1], plain=[2.0, 2.1]) + others)
    assert outcome.lower == (1.0, 1.1)
    assert outcome.higher == (2.0, 2.1)


def test_of_true_null_hypotheses_one_in_twenty_looks_decided():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 2, 3))
    decided = [judge(GROUPS, trials(deep=deep, plain=plain)).verdict != "undecided" for deep, plain in values]
    assert 0.02 < np.mean(decided) < 0.07  # Welch's test is a little too careful with three values
