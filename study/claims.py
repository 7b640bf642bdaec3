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

Trials = Sequence[tuple[Mapping[str, Any], Mapping[str, float]]]
"""The Optuna parameters and the last metrics of each finished trial."""


@dataclass(frozen=True)
class Outcome:
    """A claim and its verdict; `difference` is `group` minus `other`, NaN without values, `interval` its 95% interval."""

    claim: Claim
    group: tuple[float, ...]
    other: tuple[float, ...]
    """One value where the claim compares with a number."""
    difference: float
    interval: tuple[float, float]
    verdict: Literal["supported", "contradicted", "undecided"]


def judge(claim: Claim, trials: Trials) -> Outcome:
    """The verdict of finished trials on `claim`; a trial without a finite value of its metric does not count."""
    group = _values(claim, claim.group, trials)
    against_number = isinstance(claim.other, int | float)
    other = (float(claim.other),) if against_number else _values(claim, claim.other, trials)
    if not group or not other:
        return Outcome(claim, group, other, math.nan, (-math.inf, math.inf), "undecided")
    difference = float(np.mean(group) - np.mean(other))
    margin = _margin(group, None if against_number else other)
    interval = (difference - margin, difference + margin)
    sign = 1 if claim.direction == "higher" else -1
    least, most = sorted(sign * end for end in interval)
    verdict = "supported" if least > 0 else "contradicted" if most < 0 else "undecided"
    return Outcome(claim, group, other, difference, interval, verdict)


def _values(claim: Claim, wanted: Mapping[str, Any], trials: Trials) -> tuple[float, ...]:
    return tuple(
        metrics[claim.metric]
        for params, metrics in trials
        if all(params.get(name) == value for name, value in wanted.items())
        and math.isfinite(metrics.get(claim.metric, math.nan))
    )


def _margin(group: Sequence[float], other: Sequence[float] | None) -> float:
    """Half the width of the interval of the difference; `other` is None for a number, which does not vary."""
    samples = [group] if other is None else [group, other]
    if any(len(sample) < 2 for sample in samples):
        return math.inf
    squares = [float(np.var(sample, ddof=1)) / len(sample) for sample in samples]
    total = sum(squares)
    if total == 0:
        return 0.0
    # Welch and Satterthwaite's degrees of freedom; of a single sample, n - 1.
    freedom = total**2 / sum(square**2 / (len(sample) - 1) for square, sample in zip(squares, samples, strict=True))
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * math.sqrt(total)
