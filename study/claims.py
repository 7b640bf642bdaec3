"""What the trials of a study say about a document's claims.

Each seed of a trial is a value.

The rule: the difference of the means of the two groups, the one said to be higher minus the one said to be lower, with
its 95% interval by Welch's t-test (by Student's where one of the two is a number). The claim is supported where the
whole interval is above 0, contradicted where it is below, and undecided otherwise, as it is with fewer than two values
in a group. Every claim is judged for itself: of twenty about equal groups one is expected to look decided.

Values that are all equal do not show that the next one would be equal, too: many metrics have an end that several
seeds can reach. So such a group is taken to vary as much as the other one. Where neither varies, or where the other is
a number, nothing says how wide the interval is, and the claim is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import stdtrit

from search_spaces.claim import Claim, Group

CONFIDENCE = 0.95

Verdict = Literal["supported", "contradicted", "undecided"]

Trials = Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, float]]]]
"""The Optuna parameters of each finished trial, and the last metrics of each of its seeds."""


@dataclass(frozen=True)
class Outcome:
    """A claim, the values that it is judged by (of a number, itself) and the verdict.

    `difference` is the mean of `higher` minus that of `lower`, NaN without values.
    """

    claim: Claim
    lower: tuple[float, ...]
    higher: tuple[float, ...]
    difference: float
    interval: tuple[float, float]
    verdict: Verdict


def judge(claim: Claim, trials: Trials) -> Outcome:
    """The verdict of finished trials on `claim`, whose metric has its full name.

    A seed without a finite value of the metric does not count.
    """
    lower, higher = (_values(claim.metric, side, trials) for side in (claim.lower, claim.higher))
    if not lower or not higher:
        return Outcome(claim, lower, higher, math.nan, (-math.inf, math.inf), "undecided")
    margin = _margin(*(values for values, side in ((lower, claim.lower), (higher, claim.higher)) if callable(side)))
    difference = float(np.mean(higher) - np.mean(lower))
    least, most = difference - margin, difference + margin
    verdict: Verdict = "supported" if least > 0 else "contradicted" if most < 0 else "undecided"
    return Outcome(claim, lower, higher, difference, (least, most), verdict)


def _values(metric: str, side: Group | float, trials: Trials) -> tuple[float, ...]:
    if not callable(side):
        return (float(side),)
    seeds = (metrics for params, of_trial in trials if side(params) for metrics in of_trial)
    values = (metrics.get(metric, math.nan) for metrics in seeds)
    return tuple(value for value in values if math.isfinite(value))


def _margin(*samples: Sequence[float]) -> float:
    """Half the width of the interval of the mean of one sample, or of the difference of two means."""
    if any(len(sample) < 2 for sample in samples):
        return math.inf
    # Not by their variance: rounding gives three times 0.1 one that is not 0.
    variances = [float(np.var(sample, ddof=1)) if len(set(sample)) > 1 else 0.0 for sample in samples]
    squares = [(variance or max(variances)) / len(sample) for variance, sample in zip(variances, samples, strict=True)]
    total = sum(squares)
    if total == 0:
        return math.inf
    # Welch and Satterthwaite's degrees of freedom; of a single sample, n - 1.
    freedom = total**2 / sum(square**2 / (len(sample) - 1) for square, sample in zip(squares, samples, strict=True))
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(total)
