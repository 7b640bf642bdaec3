"""What the trials of a study say about a document's claims.

Each seed of a trial is a value. A claim says that one group of trials has higher values than another. It is judged by
the 95% interval of a difference, the mean of the group said to be higher minus the mean of the other group
(`study.comparison` has the statistics):

- Two groups are compared with each other, or a group with a number.
- A claim may pair its values. Then the differences of the pairs are judged. Values of a group that belong to the same
  pair are averaged; a value without a partner does not count.
- A claim that is compared by ratio is judged on logarithms.
- A claim about successes compares the shares of runs that succeed. A failed run is no success.
- A failed seed is worse than every other seed, by an unknown amount. So where a seed has failed, only the order of the
  values counts. It takes at least four values against four, or six pairs, and says on which side of 0 the difference
  is. Where neither lower nor higher values of the metric are better, a failed seed does not count.

A claim is supported where the whole interval is above 0, contradicted where it is below 0, and undecided otherwise.
With fewer than two values in a group it is undecided. A claim that two groups are close is supported where the whole
interval is within the margin (two one-sided tests), contradicted where it is beyond, and undecided otherwise.

Every claim is judged for itself: of twenty claims about equal groups, one is expected to look decided. So there is a
second verdict, by Holm's correction over all claims of a document: with a probability of 95%, none of those is false.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from search_spaces.claim import SEED, Claim, Group, Params
from study.comparison import ALPHA, UNKNOWN, Compared, of_one, of_paired_shares, of_share, of_shares, of_two
from trainables.measures.base import Direction

Verdict = Literal["supported", "contradicted", "undecided"]

Trials = Sequence[tuple[Params, Sequence[Mapping[str, float] | None]]]
"""The Optuna parameters of each trial that ended, and the last metrics of each of its seeds; None for a failed seed."""

Values = tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """A claim, the values that it is judged by, and the verdict. A number is its own value; a failed seed is infinite.

    `difference` is the mean of `higher` minus the mean of `lower`, or their ratio where the claim is compared by ratio;
    NaN without values. Where seeds have failed, it compares medians, and the interval only tells the side of 0 (or 1).
    Of a claim about successes, values are 1 for a success and 0 for none, and the difference is one of shares.
    """

    claim: Claim
    lower: Values
    higher: Values
    difference: float
    interval: tuple[float, float]
    verdict: Verdict
    p_supported: float = 1.0
    p_contradicted: float = 1.0

    @property
    def p(self) -> float:
        """The two-sided p-value of the verdict: at most 0.05 where the claim is decided."""
        return min(1.0, 2 * min(self.p_supported, self.p_contradicted))

    @property
    def probability_higher(self) -> float:
        """The probability that a run of the group said to be higher is above one of the other; ties count half."""
        if not self.lower or not self.higher:
            return math.nan
        low, high = np.array(self.lower), np.array(self.higher)[:, None]
        return float(np.mean((high > low) + (high == low) / 2))


def judge(claim: Claim, trials: Trials, direction: Direction | None = None) -> Outcome:
    """Judge `claim`, whose metric has its full name, by the `trials` that ended.

    `direction` says which values of the metric are better, None if neither. A seed that ended without a finite value of
    the metric does not count.
    """
    worst = {None: math.nan, "minimize": math.inf, "maximize": -math.inf}[direction]
    if claim.success is not None:
        worst = 0.0
    lower, higher = _pairs(claim, trials, worst) if claim.paired_by else _groups(claim, trials, worst)
    low, high = (_scaled(claim, values) for values in (lower, higher))
    if not lower or not higher or np.isnan([*low, *high]).any():
        return Outcome(claim, lower, higher, math.nan, (-math.inf, math.inf), "undecided")
    found = _compare(claim, low, high)
    ends = np.array([found.difference, found.least, found.most])
    with np.errstate(over="ignore"):
        difference, least, most = map(float, np.exp(ends) if claim.compared_by == "ratio" else ends)
    supported, contradicted = _p_values(claim, low, high, found)
    verdict = decided(supported, contradicted, ALPHA)
    return Outcome(claim, lower, higher, difference, (least, most), verdict, supported, contradicted)


def decided(supported: float, contradicted: float, alpha: float) -> Verdict:
    """The verdict of two one-sided p-values, together at most `alpha`."""
    return "supported" if supported <= alpha / 2 else "contradicted" if contradicted <= alpha / 2 else "undecided"


def corrected(outcomes: Sequence[Outcome]) -> list[Verdict]:
    """The verdicts after Holm's correction over all outcomes of a document, in their order."""
    verdicts: list[Verdict] = ["undecided"] * len(outcomes)
    by_document: dict[str, list[int]] = defaultdict(list)
    for index, outcome in enumerate(outcomes):
        by_document[document(outcome.claim)].append(index)
    for indices in by_document.values():
        for rank, index in enumerate(sorted(indices, key=lambda i: outcomes[i].p)):
            alpha = ALPHA / (len(indices) - rank)
            verdict = decided(outcomes[index].p_supported, outcomes[index].p_contradicted, alpha)
            if verdict == "undecided":
                break
            verdicts[index] = verdict
    return verdicts


def document(claim: Claim) -> str:
    """The key of the document that makes the claim."""
    return claim.source.partition(",")[0]


def _p_values(claim: Claim, low: np.ndarray, high: np.ndarray, found: Compared) -> tuple[float, float]:
    """The one-sided p-values for "supported" and for "contradicted"."""
    if claim.margin is None:
        return found.p_above, found.p_below
    margin = math.log(claim.margin) if claim.compared_by == "ratio" else claim.margin
    beyond, before = _compare(claim, low, high - margin), _compare(claim, low, high + margin)
    return max(beyond.p_below, before.p_above), min(beyond.p_above, before.p_below)


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
            value = worst if metrics is None else metrics.get(claim.reported_as, math.nan)
            if claim.success is not None and metrics is not None and math.isfinite(value):
                value = float(claim.success(value))
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
    against_a_number = not callable(claim.lower) or not callable(claim.higher)
    if claim.success is not None:
        return _compare_shares(claim, low, high)
    if not claim.paired_by and not against_a_number:
        return of_two(low, high)
    equal = np.broadcast_to(low, np.broadcast_shapes(low.shape, high.shape)) == high
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        return of_one(np.where(equal, 0.0, high - low))


def _compare_shares(claim: Claim, low: np.ndarray, high: np.ndarray) -> Compared:
    """By the exact tests of shares. Pairs whose successes were averaged have none: they are judged as means."""
    if not callable(claim.lower):
        return of_share(high, float(low[0])) if len(high) > 1 else UNKNOWN
    if not callable(claim.higher):
        return _turned(of_share(low, float(high[0]))) if len(low) > 1 else UNKNOWN
    if min(len(low), len(high)) < 2:
        return UNKNOWN
    if not claim.paired_by:
        return of_shares(low, high)
    differences = high - low
    return of_paired_shares(differences) if np.isin(differences, (-1.0, 0.0, 1.0)).all() else of_one(differences)


def _turned(found: Compared) -> Compared:
    return Compared(-found.difference, -found.most, -found.least, found.p_below, found.p_above)
