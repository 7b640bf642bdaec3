"""What the trials of a study say about a document's claims.

Each seed of a trial is a value. A claim says that one group of trials has higher values than another. It is judged by
the 95% interval of a difference, the mean of the group said to be higher minus the mean of the other group:

- Welch's t-test compares two groups, Student's t-test a group with a number.
- A claim may pair its values. Then Student's t-test judges the differences of the pairs. Values of a group that belong
  to the same pair are averaged; a value without a partner does not count.
- A claim that is compared by ratio is judged on logarithms.
- A failed seed is worse than every other seed, by an unknown amount. So where a seed has failed, only the order of the
  values counts: the exact rank test of Wilcoxon (of the two groups, or signed ranks of the pairs). It takes at least
  four values against four, or six pairs, and says on which side of 0 the difference is. Where neither lower nor higher
  values of the metric are better, a failed seed does not count.

A claim is supported where the whole interval is above 0, contradicted where it is below 0, and undecided otherwise.
With fewer than two values in a group it is undecided. A claim that two groups are close is supported where the whole
interval is within the margin (two one-sided tests), contradicted where it is beyond, and undecided otherwise.

Every claim is judged for itself: of twenty claims about equal groups, one is expected to look decided.

Equal values do not show that the next value would be equal too: many metrics have an end that several seeds can reach.
So a group of equal values is taken to vary as much as the other group. Where neither group varies, or the other is a
number, nothing says how wide the interval is, and the claim is undecided; also where all pairs differ equally.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # which loads `scipy.stats` where it is used: that takes long, and most studies make no claims

from search_spaces.claim import SEED, Claim, Group, Params
from trainables.measures.base import Direction

CONFIDENCE = 0.95

ORDERS = 20_000
"""Rank tests look at all orders of the values, or at this many random ones if there are more."""

ROUNDING = 1e-9
"""Values are equal if they differ by less than this share of the largest."""

Verdict = Literal["supported", "contradicted", "undecided"]

Trials = Sequence[tuple[Params, Sequence[Mapping[str, float] | None]]]
"""The Optuna parameters of each trial that ended, and the last metrics of each of its seeds; None for a failed seed."""

Values = tuple[float, ...]

Compared = tuple[float, float, float]
"""How much higher one group is than the other, and the ends of the interval."""


@dataclass(frozen=True)
class Outcome:
    """A claim, the values that it is judged by, and the verdict. A number is its own value; a failed seed is infinite.

    `difference` is the mean of `higher` minus the mean of `lower`, or their ratio where the claim is compared by ratio;
    NaN without values. Where seeds have failed, it compares medians, and the interval only tells the side of 0 (or 1).
    """

    claim: Claim
    lower: Values
    higher: Values
    difference: float
    interval: tuple[float, float]
    verdict: Verdict


def judge(claim: Claim, trials: Trials, direction: Direction | None = None) -> Outcome:
    """Judge `claim`, whose metric has its full name, by the `trials` that ended.

    `direction` says which values of the metric are better, None if neither. A seed that ended without a finite value of
    the metric does not count.
    """
    worst = {None: math.nan, "minimize": math.inf, "maximize": -math.inf}[direction]
    lower, higher = _pairs(claim, trials, worst) if claim.paired_by else _groups(claim, trials, worst)
    low, high = (_scaled(claim, values) for values in (lower, higher))
    if not lower or not higher or np.isnan([*low, *high]).any():
        return Outcome(claim, lower, higher, math.nan, (-math.inf, math.inf), "undecided")
    compared = np.array(_compare(claim, low, high))
    difference, least, most = map(float, np.exp(compared) if claim.compared_by == "ratio" else compared)
    return Outcome(claim, lower, higher, difference, (least, most), _verdict(claim, low, high))


def _verdict(claim: Claim, low: np.ndarray, high: np.ndarray) -> Verdict:
    if claim.margin is None:
        _, least, most = _compare(claim, low, high)
        return "supported" if least >= 0 else "contradicted" if most <= 0 else "undecided"
    margin = math.log(claim.margin) if claim.compared_by == "ratio" else claim.margin
    _, least_above, most_above = _compare(claim, low, high - margin)
    _, least_below, most_below = _compare(claim, low, high + margin)
    if most_above <= 0 <= least_below:
        return "supported"
    return "contradicted" if least_above >= 0 or most_below <= 0 else "undecided"


def _groups(claim: Claim, trials: Trials, worst: float) -> tuple[Values, Values]:
    lower, higher = (
        tuple(value for _, value in _values(claim, side, trials, worst)) if callable(side) else (float(side),)
        for side in (claim.lower, claim.higher)
    )
    return lower, higher


def _pairs(claim: Claim, trials: Trials, worst: float) -> tuple[Values, Values]:
    """A value per pair of each group, in the same order."""
    by_key: list[dict[Hashable, list[float]]] = []
    for side in (claim.lower, claim.higher):
        assert callable(side)
        by_key.append(defaultdict(list))
        for key, value in _values(claim, side, trials, worst):
            by_key[-1][key].append(value)
    shared = [key for key in by_key[0] if key in by_key[1]]
    lower, higher = (tuple(float(np.mean(of_side[key])) for key in shared) for of_side in by_key)
    return lower, higher


def _values(claim: Claim, group: Group, trials: Trials, worst: float) -> Iterator[tuple[Hashable, float]]:
    """The values of a group that count, each with the key of its pair."""
    for params, seeds in trials:
        if not group(params):
            continue
        for number, metrics in enumerate(seeds):
            value = worst if metrics is None else metrics.get(claim.metric, math.nan)
            if math.isfinite(value) or (metrics is None and not math.isnan(worst)):
                yield tuple(_shared(by, params, number) for by in claim.paired_by), value


def _shared(by: str | Callable[[Params], Hashable], params: Params, seed: int) -> Hashable:
    if callable(by):
        return by(params)
    return seed if by == SEED else params.get(by)


def _scaled(claim: Claim, values: Values) -> np.ndarray:
    """The values to compare: as they are, or their logarithms (NaN for values up to 0). Failed seeds stay infinite."""
    scaled = np.array(values)
    if claim.compared_by == "ratio":
        finite = np.isfinite(scaled)
        scaled[finite] = [math.log(value) if value > 0 else math.nan for value in scaled[finite]]
    return scaled


def _compare(claim: Claim, low: np.ndarray, high: np.ndarray) -> Compared:
    if claim.paired_by or not callable(claim.lower) or not callable(claim.higher):
        equal = np.broadcast_to(low, np.broadcast_shapes(low.shape, high.shape)) == high
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            return _compare_with_zero(np.where(equal, 0.0, high - low))
    if np.isfinite([*low, *high]).all():
        return _interval(float(np.mean(high) - np.mean(low)), low, high)
    ranks = scipy.stats.rankdata([*high, *low])
    above, below = (
        scipy.stats.mannwhitneyu(*np.split(ranks, [len(high)]), alternative=alternative, method=_all_orders()).pvalue
        for alternative in ("greater", "less")
    )
    with np.errstate(invalid="ignore"):
        return _side(float(np.median(high) - np.median(low)), above, below)


def _compare_with_zero(differences: np.ndarray) -> Compared:
    if np.isfinite(differences).all():
        return _interval(float(np.mean(differences)), differences)
    signed_ranks = np.sign(differences) * scipy.stats.rankdata(np.abs(differences))
    above, below = (
        scipy.stats.wilcoxon(signed_ranks, zero_method="zsplit", alternative=alternative, method=_all_orders()).pvalue
        for alternative in ("greater", "less")
    )
    return _side(float(np.median(differences)), above, below)


def _all_orders() -> scipy.stats.PermutationMethod:
    return scipy.stats.PermutationMethod(n_resamples=ORDERS, rng=0)


def _side(difference: float, p_above: float, p_below: float) -> Compared:
    """A difference and what a rank test says about it: on which side of 0 it is, or nothing."""
    alpha = (1 - CONFIDENCE) / 2
    return difference, 0.0 if p_above <= alpha else -math.inf, 0.0 if p_below <= alpha else math.inf


def _interval(difference: float, *samples: np.ndarray) -> Compared:
    """The interval of the mean of one sample, or of the difference of two means."""
    margin = _margin(*samples)
    return difference, difference - margin, difference + margin


def _margin(*samples: np.ndarray) -> float:
    if any(len(sample) < 2 for sample in samples):
        return math.inf
    # Rounding alone gives three times 0.1, and equal differences, a variance that is not 0.
    varies = [np.ptp(sample) > ROUNDING * np.abs(sample).max() for sample in samples]
    variances = [float(np.var(s, ddof=1)) if v else 0.0 for s, v in zip(samples, varies, strict=True)]
    squares = [(variance or max(variances)) / len(sample) for variance, sample in zip(variances, samples, strict=True)]
    total = sum(squares)
    if total == 0:
        return math.inf
    # Welch and Satterthwaite's degrees of freedom; of a single sample, n - 1.
    freedom = total**2 / sum(square**2 / (len(sample) - 1) for square, sample in zip(squares, samples, strict=True))
    return float(scipy.special.stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(total)
