"""Confidence intervals that keep their confidence near 0 and 1, too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def normal_quantile(confidence: float) -> float:
    """The end of an interval of this confidence, in standard deviations from the mean: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(share: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The ends of the interval of a share that was observed in `n` independent trials (Wilson 1927).

    Its width is never zero: after `n` successes of `n` it begins at `n / (n + 1.96^2)`, near the rule of three.
    """
    squared = normal_quantile(confidence) ** 2
    middle = (share + squared / (2 * n)) / (1 + squared / n)
    half = math.sqrt(squared * (share * (1 - share) / n + squared / (4 * n**2))) / (1 + squared / n)
    # Rounding must not leave the share outside.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def logit_interval(value: float, error: float, freedom: float, confidence: float = 0.95) -> tuple[float, float]:
    """The ends of an interval that is symmetric in the logit, so that it stays between 0 and 1.

    `value` is between 0 and 1, and `error` is its standard error. `freedom` says how well the error is known: Student's
    t with so many degrees of freedom replaces the normal distribution.
    """
    half = student_quantile(freedom, confidence) * error / (value * (1 - value))
    odds = value / (1 - value)
    low, high = (1 / (1 + math.exp(min(turn, 700.0)) / odds) for turn in (half, -half))
    return low, high


def auroc_interval(of_known: np.ndarray, of_others: np.ndarray, confidence: float = 0.95) -> Interval:
    """The area under the ROC curve with its interval, from `placements`, `(n,)` and `(m,)`.

    It is a `logit_interval` with DeLong's variance (1988), the sum over both sets of the variance of the placements
    divided by the size of the set.

    The variance is at most `A (1 - A) / min(n, m)`, for any distributions (van Dantzig 1951): the variance of a share
    of `min(n, m)` trials. So the interval is never wider than `wilson`'s, and it is `wilson`'s where DeLong's variance
    is zero or unknown: for perfect scores, constant scores, and a single image.

    In simulations with normal scores, 95% intervals cover areas from 0.5 to 0.9998 in 94% or more of the cases, with
    sets of 20 to 1000 images, equal or not, and deviations up to three times apart. The normal distribution instead of
    Student's would cover 0.998 in 92% with 200 images each, and in 70% if one deviation is three times the other.
    """
    area = float(of_known.mean())
    low, high = wilson(area, min(len(of_known), len(of_others)), confidence)
    error = math.sqrt(_variance(of_known) + _variance(of_others))
    if error > 0 and 0 < area < 1:
        narrow_low, narrow_high = logit_interval(area, error, freedom(of_known, of_others), confidence)
        low, high = max(low, narrow_low), min(high, narrow_high)
    return Interval(area, low, high)


def freedom(of_known: np.ndarray, of_others: np.ndarray) -> float:
    """The degrees of freedom of an error that is estimated from placements, at least 1.

    The formula of Welch and Satterthwaite for two variances, where only images with an error count for the size of a
    set: if most images are placed right, a variance is estimated from the few that are not.
    """
    parts = [(_variance(x), max(1.0, _spread(x) - 1)) for x in (of_known, of_others)]
    total = sum(variance for variance, _ in parts)
    return total**2 / sum(variance**2 / spread for variance, spread in parts) if total > 0 else 1.0


def _variance(placements: np.ndarray) -> float:
    """The variance of the mean; 0 for a single placement, where it is unknown."""
    return float(np.var(placements, ddof=1)) / len(placements) if len(placements) > 1 else 0.0


def _spread(placements: np.ndarray) -> float:
    """The effective number of images with an error: so many errors of equal size would vary as much (Kish 1965)."""
    errors = 1 - placements if placements.mean() > 0.5 else placements
    squares = float(np.square(errors).sum())
    return float(errors.sum()) ** 2 / squares if squares > 0 else 1.0


def student_quantile(freedom: float, confidence: float) -> float:
    """`normal_quantile` for Student's t: within 1% from 2 degrees of freedom on, 11% too small for 1.

    Abramowitz and Stegun 1964, 26.7.5. SciPy's is exact, and takes 15 MB in every process that measures.
    """
    z = normal_quantile(confidence)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
