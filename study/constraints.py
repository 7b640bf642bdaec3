"""What a trial must keep to be ranked, as in `copying<=0.6`: a trial that does not is infeasible."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces.space import SearchSpace
from study.measurement import reported_metrics
from trainables.errors import InputError, lookup
from trainables.protocol import AT_BEST, BEST, Protocol, base_name

NOT_MEASURED = 1.0
"""The violation of a trial that does not report the metric."""


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric at a trial's end."""

    text: str
    """As it was said: its name in Optuna."""
    metric: str
    """The full name of what a trial reports."""
    sign: int
    """1: at most `bound`; -1: at least."""
    bound: float

    def violation(self, metrics: Mapping[str, float]) -> float:
        """How far the last metrics of a trial are beyond the bound; 0 or less where they keep it."""
        value = metrics.get(self.metric, math.nan)
        return self.sign * (value - self.bound) if math.isfinite(value) else NOT_MEASURED


def make_constraints(
    asked: Sequence[str], space: SearchSpace, protocols: Mapping[str, Protocol], objective: str
) -> tuple[Constraint, ...]:
    """The constraints METRIC<=NUMBER and METRIC>=NUMBER; raises `InputError`, also for a metric that no trial reports.

    What the measures find is read of the weights that are ranked: where `objective`, a full name, is a best value,
    `copying` is `copying_at_best`.
    """
    protocol = next(iter(protocols.values()))
    measured = {name for p in protocols.values() for name in p.metrics()}
    known = dict.fromkeys(sorted(reported_metrics(space, protocols)))
    found = []
    for text in asked:
        match = re.fullmatch(r"\s*([^<>=\s]+)\s*(<=|>=)\s*(\S+)\s*", text)
        try:
            bound = float(match[3]) if match else math.nan
        except ValueError:
            bound = math.nan
        if match is None or not math.isfinite(bound):
            raise InputError(f"--constraints {text!r}: write METRIC<=NUMBER or METRIC>=NUMBER, in quotes.")
        metric = protocol.full_name(match[1])
        lookup("metric in --constraints", metric, known)
        if objective.endswith(BEST) and base_name(metric) in measured:
            metric = base_name(metric) + AT_BEST
        found.append(Constraint(f"{match[1]}{match[2]}{match[3]}", metric, 1 if match[2] == "<=" else -1, bound))
    return tuple(found)


def violations(constraints: Sequence[Constraint], metrics: Mapping[str, float]) -> dict[str, float]:
    """How far a trial with these metrics at its end is beyond each constraint, as Optuna wants to know it."""
    return {constraint.text: constraint.violation(metrics) for constraint in constraints}


def broken(constraints: Sequence[Constraint], metrics: Mapping[str, float]) -> list[str]:
    """The constraints that a trial with these metrics does not keep."""
    return [text for text, violation in violations(constraints, metrics).items() if violation > 0]
