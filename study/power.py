"""How many values would decide a claim, if the next ones are like those seen."""

from __future__ import annotations

import math

import numpy as np

from study.claims import Outcome
from study.comparison import ALPHA

POWER = 0.8
"""The probability with which so many values decide the claim."""
MOST = 1000
"""More values than this are out of reach."""


def power(distance: float, deviation: float, n: int, groups: int) -> float:
    """The probability that a one-sided t-test at half of `ALPHA` sees a difference of `distance`.

    With `n` values in each of two groups, or `n` values or pairs in one, of this standard deviation.
    """
    from scipy.stats import nct, t

    freedom = groups * (n - 1)
    error = deviation * math.sqrt(groups / n)
    return float(nct.sf(t.ppf(1 - ALPHA / 2, freedom), freedom, distance / error))


def values_needed(outcome: Outcome) -> int | None:
    """How many values, or pairs, each group needs, those that there are included; None where over `MOST`.

    The distance is that from the nearest end of what the claim says: from 0, or from the margin.
    """
    if len(outcome.lower) + len(outcome.higher) < 3 or math.isnan(outcome.difference):
        return outcome.claim.planned
    groups = 2 if _is_of_two_groups(outcome) else 1
    if outcome.claim.success is not None:
        needed = _for_shares(outcome, groups)
    elif not np.isfinite([*outcome.lower, *outcome.higher]).all():
        needed = _for_order(outcome.probability_higher, groups)
    else:
        needed = _for_means(outcome, groups)
    return needed if needed <= MOST else None


def seen(outcome: Outcome) -> tuple[float, float]:
    """The difference, on the scale on which it is judged, and the standard deviation of a value or of a pair."""
    low, high = _judged(outcome)
    if _is_of_two_groups(outcome):
        spreads = [float(np.var(values, ddof=1)) if len(values) > 1 else math.nan for values in (low, high)]
        return float(high.mean() - low.mean()), math.sqrt(np.nanmean(spreads))
    differences = high - low
    return float(differences.mean()), float(np.std(differences, ddof=1))


def _judged(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    scale = np.log if outcome.claim.compared_by == "ratio" else np.asarray
    return scale(outcome.lower), scale(outcome.higher)


def _is_of_two_groups(outcome: Outcome) -> bool:
    claim = outcome.claim
    return callable(claim.lower) and callable(claim.higher) and not claim.paired_by


def _for_means(outcome: Outcome, groups: int) -> int:
    difference, deviation = seen(outcome)
    distance = abs(difference)
    if outcome.claim.margin is not None:
        is_ratio = outcome.claim.compared_by == "ratio"
        distance = abs(distance - (math.log(outcome.claim.margin) if is_ratio else outcome.claim.margin))
    if not deviation > 0 or not distance > 0:
        return MOST + 1
    least, most = 2, 2
    while power(distance, deviation, most, groups) < POWER:
        if most > MOST:
            return MOST + 1
        least, most = most, 2 * most
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if power(distance, deviation, middle, groups) >= POWER else (middle, most)
    return most


def _quantiles() -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - ALPHA / 2) + ndtri(POWER))


def _for_shares(outcome: Outcome, groups: int) -> int:
    """By the arcsine of the roots of the shares, whose variance is 1 / n."""
    low, high = (math.asin(math.sqrt(np.mean(values))) for values in (outcome.lower, outcome.higher))
    apart = 2 * abs(high - low)
    groups = 2 if outcome.claim.paired_by else groups
    return math.ceil(groups * (_quantiles() / apart) ** 2) if apart > 0 else MOST + 1


def _for_order(probability: float, groups: int) -> int:
    """Noether's number (1987) for the rank test of two groups, and the sign test's for one."""
    apart = abs(probability - 0.5)
    factor = 6 if groups == 2 else 4
    return math.ceil(_quantiles() ** 2 / (factor * apart**2)) if apart > 0 else MOST + 1
