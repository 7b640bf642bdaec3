"""What the trials of a study say about a document's claims.

The rule: the difference of the means of the two groups (of the group's mean and the number), with its 95% interval
by Welch's t-test (Student's). The claim is supported where the whole interval is on the claim's side of 0,
contradicted where it is on the other side, and undecided otherwise, as it is with fewer than two values in a group.
Every claim is judged for itself: of twenty true null hypotheses one is expected to look decided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from search_spaces import Claim

CONFIDENCE = 0.95

Verdict = Literal["supported", "contradicted", "undecided"]

Trials = Sequence[tuple[Mapping[str, Any], Mapping[str, float]]]
"""The Optuna parameters and the last metrics of each finished trial."""


@dataclass(frozen=True)
class Outcome:
    """A claim and its verdict. `difference` is `group` minus `other`, NaN without values, `interval` its interval."""

    claim: Claim
    group: tuple[float, ...]
    other: tuple[float, ...]
    """One value where the claim compares with a number."""
    difference: float
    interval: tuple[float, float]
    verdict: Verdict


def judge(claim: Claim, trials: Trials) -> Outcome:
    """The verdict of finished trials on `claim`; a trial without a finite value of its metric does not count."""
    group = _values(claim.metric, claim.group, trials)
    if isinstance(claim.other, Mapping):
        other = _values(claim.metric, claim.other, trials)
        margin = _margin(group, other)
    else:
        other = (claim.other,)
        margin = _margin(group)
    if not group or not other:
        return Outcome(claim, group, other, math.nan, (-math.inf, math.inf), "undecided")
    difference = float(np.mean(group) - np.mean(other))
    interval = (difference - margin, difference + margin)
    return Outcome(claim, group, other, difference, interval, _verdict(claim, interval))


def _verdict(claim: Claim, interval: tuple[float, float]) -> Verdict:
    least, most = interval if claim.direction == "higher" else (-interval[1], -interval[0])
    return "supported" if least > 0 else "contradicted" if most < 0 else "undecided"


def _values(metric: str, group: Mapping[str, Any], trials: Trials) -> tuple[float, ...]:
    return tuple(
        metrics[metric]
        for params, metrics in trials
        if all(params.get(name) == value for name, value in group.items())
        and math.isfinite(metrics.get(metric, math.nan))
    )


def _margin(*samples: Sequence[float]) -> float:
    """Half the width of the interval of the mean of one sample, or of the difference of two means."""
    if any(len(sample) < 2 for sample in samples):
        return math.inf
    squares = [float(np.var(sample, ddof=1)) / len(sample) for sample in samples]
    total = sum(squares)
    if total == 0:
        return 0.0
    # Welch and Satterthwaite's degrees of freedom; of a single sample, n - 1.
    freedom = total**2 / sum(square**2 / (len(sample) - 1) for square, sample in zip(squares, samples, strict=True))
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * math.sqrt(total)
