"""How much higher one sample is than another: the difference, its 95% interval, and what a test says of its side.

A mean is judged by two intervals, and the wider one counts:

- Student's t for one sample, Welch's t for two;
- the studentised bootstrap (Efron and Tibshirani 1993, section 12.5), from `BOOTSTRAP_FROM` values on. Student's
  interval of ten skewed values, or of ten of which one in three is far from the others, covers the mean in 85 to 90 of
  100 cases.

Infinite values are failures. Where there are some, only the order of the values counts: the exact rank test of
Wilcoxon, of two samples, or the signed ranks of one.

Equal values do not show that the next value would be equal too: many metrics have an end that several seeds can reach.
So a sample of equal values is taken to vary as much as the other one. Where neither varies, nothing says how wide the
interval is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE

ORDERS = 20_000
"""Rank tests look at all orders of the values, or at this many random ones if there are more."""
RESAMPLES = 1999
BOOTSTRAP_FROM = 8
"""With fewer values, too many resamples consist of one value only."""
ROUNDING = 1e-9
"""Values are equal if they differ by less than this share of the largest."""


@dataclass(frozen=True)
class Compared:
    """A difference, the ends of its interval, and the one-sided p-values of its being above and below 0."""

    difference: float
    least: float
    most: float
    p_above: float
    p_below: float


UNKNOWN = Compared(math.nan, -math.inf, math.inf, 1.0, 1.0)


def of_two(low: np.ndarray, high: np.ndarray) -> Compared:
    """How much higher the values of `high` are than those of `low`."""
    if np.isfinite(low).all() and np.isfinite(high).all():
        return _of_means(float(np.mean(high) - np.mean(low)), low, high)
    from scipy.stats import PermutationMethod, mannwhitneyu, rankdata

    ranks = rankdata([*high, *low])
    above, below = (
        mannwhitneyu(
            ranks[: len(high)],
            ranks[len(high) :],
            alternative=alternative,
            method=PermutationMethod(n_resamples=ORDERS, rng=0),
        ).pvalue
        for alternative in ("greater", "less")
    )
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        return _side(float(np.median(high) - np.median(low)), above, below)


def of_one(differences: np.ndarray) -> Compared:
    """How far above 0 the values are."""
    if np.isfinite(differences).all():
        return _of_means(float(np.mean(differences)), differences)
    from scipy.stats import PermutationMethod, rankdata, wilcoxon

    signed_ranks = np.sign(differences) * rankdata(np.abs(differences))
    above, below = (
        wilcoxon(
            signed_ranks,
            zero_method="zsplit",
            alternative=alternative,
            method=PermutationMethod(n_resamples=ORDERS, rng=0),
        ).pvalue
        for alternative in ("greater", "less")
    )
    return _side(float(np.median(differences)), above, below)


def _side(difference: float, p_above: float, p_below: float) -> Compared:
    """What a rank test says: on which side of 0 the difference is, or nothing."""
    least = 0.0 if p_above <= ALPHA / 2 else -math.inf
    most = 0.0 if p_below <= ALPHA / 2 else math.inf
    return Compared(difference, least, most, float(p_above), float(p_below))


def _of_means(difference: float, *samples: np.ndarray) -> Compared:
    if any(len(sample) < 2 for sample in samples):
        return Compared(difference, -math.inf, math.inf, 1.0, 1.0)
    from scipy.special import stdtr, stdtrit

    sizes = [len(sample) for sample in samples]
    squares = np.array(_squared_errors([sample[None] for sample in samples]))[:, 0]
    total = float(squares.sum())
    if total == 0:
        return Compared(difference, -math.inf, math.inf, 1.0, 1.0)
    error = math.sqrt(total)
    # Welch and Satterthwaite's degrees of freedom; of a single sample, n - 1.
    freedom = total**2 / sum(square**2 / (size - 1) for square, size in zip(squares, sizes, strict=True))
    t = difference / error
    p_above, p_below = float(stdtr(freedom, -t)), float(stdtr(freedom, t))
    upper = float(stdtrit(freedom, 1 - ALPHA / 2))
    lower = -upper
    if min(sizes) >= BOOTSTRAP_FROM:
        resampled = _studentised(difference, samples)
        upper = max(upper, resampled[math.ceil((RESAMPLES + 1) * (1 - ALPHA / 2)) - 1])
        lower = min(lower, resampled[math.floor((RESAMPLES + 1) * ALPHA / 2) - 1])
        p_above = max(p_above, float(1 + np.sum(resampled >= t)) / (RESAMPLES + 1))
        p_below = max(p_below, float(1 + np.sum(resampled <= t)) / (RESAMPLES + 1))
    return Compared(difference, difference - upper * error, difference - lower * error, p_above, p_below)


def _squared_errors(samples: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The squared standard errors of the means of samples `(resamples, n)`."""
    # Rounding alone gives three times 0.1, and equal differences, a variance that is not 0.
    variances = []
    for sample in samples:
        varies = np.ptp(sample, axis=1) > ROUNDING * np.abs(sample).max(axis=1)
        variances.append(np.where(varies, np.var(sample, axis=1, ddof=1), 0.0))
    largest = np.max(variances, axis=0)
    return [np.where(v > 0, v, largest) / s.shape[1] for v, s in zip(variances, samples, strict=True)]


def _studentised(difference: float, samples: Sequence[np.ndarray]) -> np.ndarray:
    """The differences of resamples from the one seen, in standard errors of each resample, in order."""
    resamples = [sample[_chosen(len(sample), turn)] for turn, sample in enumerate(samples)]
    errors = np.sqrt(np.sum(_squared_errors(resamples), axis=0))
    means = [resample.mean(axis=1) for resample in resamples]
    apart = (means[0] if len(means) == 1 else means[1] - means[0]) - difference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sort(np.where(errors > 0, apart / errors, np.sign(apart) * math.inf))


@cache
def _chosen(size: int, turn: int) -> np.ndarray:
    """Which values each resample of a sample has: the same for all claims, so that a verdict can be repeated."""
    return np.random.default_rng(turn).integers(0, size, (RESAMPLES, size))


def of_shares(low: np.ndarray, high: np.ndarray) -> Compared:
    """How much higher the share of successes (1, or 0) is in `high` than in `low`.

    The interval is Newcombe's (1998, method 10), the test Boschloo's. A side of 0 that only one of them
    sees counts as not seen.
    """
    from scipy.stats import boschloo_exact

    (a, n), (b, m) = ((int(x.sum()), len(x)) for x in (low, high))
    difference = b / m - a / n
    (low_a, high_a), (low_b, high_b) = _wilson(a, n), _wilson(b, m)
    least = difference - math.hypot(b / m - low_b, high_a - a / n)
    most = difference + math.hypot(high_b - b / m, a / n - low_a)
    table = [[b, a], [m - b, n - a]]
    above, below = (float(boschloo_exact(table, alternative=side).pvalue) for side in ("greater", "less"))
    return _agreed(Compared(difference, max(least, -1.0), min(most, 1.0), above, below))


def of_share(successes: np.ndarray, share: float) -> Compared:
    """How far the share of successes (1, or 0) is above `share`: the exact binomial test and its interval."""
    from scipy.stats import binomtest

    count, n = int(successes.sum()), len(successes)
    above, below = (float(binomtest(count, n, share, alternative=side).pvalue) for side in ("greater", "less"))
    interval = binomtest(count, n, share).proportion_ci(CONFIDENCE)
    return _agreed(Compared(count / n - share, interval.low - share, interval.high - share, above, below))


def of_paired_shares(differences: np.ndarray) -> Compared:
    """How much higher the second share of pairs is; `differences` of successes are 1, 0 or -1.

    The interval is that of Agresti and Min (2005), with half a pair added to each cell, the test McNemar's exact one.
    """
    from scipy.special import ndtri
    from scipy.stats import binomtest

    n, wins, losses = len(differences), int((differences == 1).sum()), int((differences == -1).sum())
    apart = (wins - losses) / (n + 2)
    error = math.sqrt(wins + losses + 1 - (wins - losses) ** 2 / (n + 2)) / (n + 2)
    half = float(ndtri(1 - ALPHA / 2)) * error
    above, below = (
        float(binomtest(wins, wins + losses, 0.5, alternative=side).pvalue) if wins + losses else 1.0
        for side in ("greater", "less")
    )
    return _agreed(Compared((wins - losses) / n, max(apart - half, -1.0), min(apart + half, 1.0), above, below))


def _wilson(count: int, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(count, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _agreed(found: Compared) -> Compared:
    """`found`, where its interval and its test agree on the side of 0."""
    least = found.least if found.p_above <= ALPHA / 2 else min(found.least, 0.0 - ROUNDING)
    most = found.most if found.p_below <= ALPHA / 2 else max(found.most, 0.0 + ROUNDING)
    p_above = found.p_above if least >= 0 else max(found.p_above, ALPHA)
    p_below = found.p_below if most <= 0 else max(found.p_below, ALPHA)
    return Compared(found.difference, least, most, p_above, p_below)
