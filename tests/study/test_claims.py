from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from search_spaces.claim import SEED, Claim, where
from study.claims import judge
from trainables.errors import InputError

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


def by_seed(**values):
    """One trial a model; None is a seed that failed."""
    return [
        ({"model": model, "depth": depth}, [None if v is None else {"energy": v} for v in seeds])
        for model, of_model in values.items()
        for depth, seeds in enumerate(of_model)
    ]


def paired(*by):
    return replace(GROUPS, paired_by=by)


def test_pairs_are_judged_by_their_differences():
    deep, plain = [1.0, 5.0, 9.3], [1.4, 5.5, 9.5]
    assert judge(GROUPS, trials(deep=deep, plain=plain)).verdict == "undecided"
    outcome = judge(paired(SEED), trials(deep=deep, plain=plain))
    expected = stats.ttest_rel(plain, deep).confidence_interval(0.95)
    assert outcome.interval == pytest.approx((expected.low, expected.high))
    assert outcome.difference == pytest.approx(np.mean(plain) - np.mean(deep))
    assert outcome.verdict == "undecided"  # 0.37 +- 0.38
    assert judge(paired(SEED), trials(deep=[*deep, 2.0], plain=[*plain, 2.4])).verdict == "supported"


def test_what_has_no_partner_does_not_count_and_partners_of_one_group_are_averaged():
    data = by_seed(deep=[[1.0, 3.0], [2.0], [7.0]], plain=[[3.0], [5.0, 5.5, 6.0]])
    of_depth = judge(paired("depth"), data)
    assert (of_depth.lower, of_depth.higher) == ((2.0, 2.0), (3.0, 5.5))
    of_both = judge(paired("depth", SEED), data)
    assert (of_both.lower, of_both.higher) == ((1.0, 2.0), (3.0, 5.0))
    of_parity = judge(paired(lambda params: params["depth"] % 2), data)
    assert of_parity.lower == (pytest.approx(11 / 3), 2.0)
    assert judge(paired("rate"), data).lower == (pytest.approx(13 / 4),)  # a parameter that none of them has


def test_pairs_that_all_differ_equally_decide_nothing():
    outcome = judge(paired(SEED), trials(deep=[0.1, 0.2, 0.3], plain=[1.1, 1.2, 1.3]))
    assert outcome.verdict == "undecided"
    assert outcome.interval == (-math.inf, math.inf)


@pytest.mark.parametrize("by", [(), (SEED,)])
def test_close_is_two_one_sided_tests(by):
    margin, rng, seen = 1.0, np.random.default_rng(1), set()
    for shift in (0.0, 0.3, 0.8, 1.2, 2.5, -2.5):
        for _ in range(20):
            deep, plain = rng.normal(0, 0.4, 5), rng.normal(shift, 0.4, 5)
            test = stats.ttest_rel if by else partial(stats.ttest_ind, equal_var=False)
            below, above = (test(plain + m, deep, alternative=a).pvalue for m, a in ((-1, "less"), (1, "greater")))
            far_above, far_below = (
                test(plain + m, deep, alternative=a).pvalue for m, a in ((-1, "greater"), (1, "less"))
            )
            expected = "undecided"
            if max(below, above) < 0.025:
                expected = "supported"
            elif min(far_above, far_below) < 0.025:
                expected = "contradicted"
            claim = replace(GROUPS, paired_by=by, margin=margin)
            assert judge(claim, trials(deep=deep, plain=plain)).verdict == expected
            seen.add(expected)
    assert seen == {"supported", "contradicted", "undecided"}


def test_a_ratio_is_one_of_geometric_means():
    deep, plain = [1.0, 2.0, 4.0], [3.0, 6.0, 12.0]
    outcome = judge(replace(GROUPS, compared_by="ratio"), trials(deep=deep, plain=plain))
    expected = stats.ttest_ind(np.log(plain), np.log(deep), equal_var=False).confidence_interval(0.95)
    assert outcome.difference == pytest.approx(3)
    assert outcome.interval == pytest.approx((math.exp(expected.low), math.exp(expected.high)))
    assert judge(replace(GROUPS, compared_by="ratio"), trials(deep=[0.0, 1.0], plain=[1.0, 2.0])).verdict == "undecided"


@pytest.mark.parametrize(
    ("l2", "verdict"), [([12.1, 11.0, 13.2], "supported"), ([90.0, 110.0, 99.0], "contradicted"), ([15, 22, 26], None)]
)
def test_within_a_factor_of_two(l2, verdict):
    claim = replace(GROUPS, margin=2.0, compared_by="ratio")
    assert judge(claim, trials(deep=[9.0, 10.0, 11.2], plain=l2)).verdict == (verdict or "undecided")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin": 0.0}, "has a margin of 0: it must be above 0"),
        ({"margin": 1.0, "compared_by": "ratio"}, "has a margin of 1: it must be above 1"),
        ({"lower": 1.0, "higher": 2.0}, "compares two numbers"),
        ({"lower": 1.0, "paired_by": (SEED,)}, "is paired, but compares with a number"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(GROUPS, **changes)


def exact_p(lower, higher):
    """How many of all ways to divide the values have at least as many pairs in which `higher` wins."""

    def wins(low, high):
        return sum((h > a) + (h == a) / 2 for a in low for h in high)

    values = [*lower, *higher]
    ways = list(combinations(range(len(values)), len(higher)))
    observed = wins(lower, higher)
    as_many = 0
    for chosen in ways:
        high = [values[i] for i in chosen]
        low = [values[i] for i in range(len(values)) if i not in chosen]
        as_many += wins(low, high) >= observed
    return as_many / len(ways)


@pytest.mark.parametrize(
    ("deep", "plain"),
    [
        ([1, 2, 3, 4], [5, 6, None, 7]),
        ([1, 2, 3], [5, 6, None]),
        ([1, 2, 3, 4], [None] * 4),
        ([1, 2, 3, 5, 4, 1], [None, 4, None, 7]),
        ([1, 2, 2, 3, None], [2, 5, 6, None, None]),
        ([None] * 3, [None] * 3),
    ],
)
def test_failed_seeds_are_the_worst_and_the_order_of_the_values_decides(deep, plain):
    """For a metric that is better low: failures in the group said to be higher speak for the claim."""
    outcome = judge(GROUPS, by_seed(deep=[deep], plain=[plain]), "minimize")
    low, high = ([math.inf if v is None else v for v in values] for values in (deep, plain))
    assert (outcome.lower, outcome.higher) == (tuple(low), tuple(high))
    decided = exact_p(low, high) <= 0.025
    assert outcome.interval == ((0.0, math.inf) if decided else (-math.inf, math.inf))
    assert outcome.verdict == ("supported" if decided else "undecided")
    turned = judge(GROUPS, by_seed(deep=[plain], plain=[deep]), "minimize")
    assert turned.verdict == ("contradicted" if decided else "undecided")


def test_where_more_is_better_failed_seeds_are_below_all_others():
    data = by_seed(deep=[[None, None, 1, 2]], plain=[[3, 4, 5, 6]])
    assert judge(GROUPS, data, "maximize").verdict == "supported"
    assert judge(GROUPS, data, "minimize").verdict == "undecided"


def test_where_neither_way_is_better_failed_seeds_do_not_count():
    data = by_seed(deep=[[1, 1.1, None]], plain=[[2, 2.1, 2.2, None]])
    assert judge(GROUPS, data) == judge(GROUPS, by_seed(deep=[[1, 1.1]], plain=[[2, 2.1, 2.2]]))


@pytest.mark.parametrize(("n", "verdict"), [(5, "undecided"), (6, "supported")])
def test_pairs_with_failed_seeds_are_judged_by_signed_ranks(n, verdict):
    """Of 2^n ways to sign n differences, one has all above 0: 1/32 and 1/64."""
    values = [1.0, 1.5, 2.5, 3.0, 4.0, 5.0][:n]
    plain = [None, *(2 * value for value in values[1:])]
    assert judge(paired(SEED), by_seed(deep=[values], plain=[plain]), "minimize").verdict == verdict
    both = judge(paired(SEED), by_seed(deep=[[None, *values]], plain=[[None, *plain]]), "minimize")
    assert both.verdict == verdict  # two that failed are equal


def test_what_fails_is_not_close():
    close = replace(GROUPS, margin=1.0)
    fine, failed = [[1.0, 1.1, 0.9, 1.05]], [[None] * 4]
    assert judge(close, by_seed(deep=fine, plain=failed), "minimize").verdict == "contradicted"
    assert judge(close, by_seed(deep=fine, plain=[[1.0, 0.9, 1.1, None]]), "minimize").verdict == "undecided"


def test_against_a_number_failed_seeds_count_by_their_sign():
    values = [1.1, 1.2, 1.3, 1.4, 1.5, None]
    assert judge(NUMBER, by_seed(deep=[values]), "minimize").verdict == "supported"
    assert judge(NUMBER, by_seed(deep=[values]), "maximize").verdict == "undecided"


def test_of_true_null_hypotheses_about_failures_no_more_than_one_in_twenty_looks_decided():
    rng = np.random.default_rng(0)
    decided = 0
    for _ in range(300):
        values = rng.normal(size=(2, 5)).tolist()
        values = [[None if v > 0.8 else v for v in of_group] for of_group in values]
        decided += judge(GROUPS, by_seed(deep=values[:1], plain=values[1:]), "minimize").verdict != "undecided"
    assert decided <= 0.06 * 300
