"""python -m benchmarks claims: false verdicts, coverage of the intervals, and whether power is as planned.

Values are drawn whose truth is known, and judged as those of a study. `tests/study` has a short form of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from search_spaces.claim import Claim, where
from study.claims import Outcome, corrected, judge
from study.comparison import of_one, of_two
from study.power import POWER, values_needed

PLANNED = 10
STUDIES, DOCUMENTS, CLAIMS = 2000, 500, 20

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, ...]]
"""The values of one group, or of the lower and the higher one."""
Case = tuple[Draw, float]
"""How values are drawn, and the true mean, or difference of means."""

ASTRAY = 0.9 / 3 + 0.07 * 2 / 3


def _astray(rng: np.random.Generator, n: int) -> np.ndarray:
    """One run in three ends far from the others."""
    return np.where(rng.random(n) < 1 / 3, 0.9, 0.07) + rng.normal(0, 0.01, n)


CASES: dict[str, Case] = {
    "normal": (lambda rng, n: (rng.normal(0, 1, n), rng.normal(0.5, 1, n)), 0.5),
    "deviations 1:3": (lambda rng, n: (rng.normal(0, 1, n), rng.normal(0.5, 3, n)), 0.5),
    "exponential 1:2": (lambda rng, n: (rng.exponential(1, n), rng.exponential(2, n)), 1.0),
    "log-normal 1:2": (lambda rng, n: (rng.lognormal(0, 1, n), 2 * rng.lognormal(0, 1, n)), math.exp(0.5)),
    "one in three astray": (lambda rng, n: (rng.normal(0.067, 0.01, n), _astray(rng, n)), ASTRAY - 0.067),
    "both astray": (lambda rng, n: (_astray(rng, n), _astray(rng, n)), 0.0),
    "against a number, normal": (lambda rng, n: (rng.normal(0, 1, n),), 0.0),
    "against a number, exponential": (lambda rng, n: (rng.exponential(1, n),), 1.0),
    "against a number, log-normal": (lambda rng, n: (rng.lognormal(0, 1, n),), math.exp(0.5)),
    "against a number, astray": (lambda rng, n: (_astray(rng, n),), ASTRAY),
}

NULLS: tuple[Draw, ...] = (
    lambda rng, n: (rng.normal(0, 1, n), rng.normal(0, 1, n)),
    lambda rng, n: (rng.normal(0, 1, n), rng.normal(0, 3, n)),
    lambda rng, n: (rng.lognormal(0, 1, n), rng.lognormal(0, 1, n)),
    lambda rng, n: (_astray(rng, n), _astray(rng, n)),
)
"""Groups whose means are equal, in documents of which nothing is true."""


def coverage(case: Case, n: int, studies: int, seed: int = 0) -> float:
    """The share of studies whose interval covers the truth."""
    draw, truth = case
    rng, covered = np.random.default_rng(seed), 0
    for _ in range(studies):
        samples = draw(rng, n)
        found = of_one(*samples) if len(samples) == 1 else of_two(*samples)
        covered += found.least <= truth <= found.most
    return covered / studies


def judged(low: np.ndarray, high: np.ndarray, margin: float | None = None, source: str = "a document") -> Outcome:
    """The verdict on a claim of these values."""
    claim = Claim("Lower.", source, "value", where(group="low"), where(group="high"), margin=margin)
    trials = [({"group": name}, [{"value": v} for v in values]) for name, values in (("low", low), ("high", high))]
    return judge(claim, trials)


def false_verdicts(documents: int, claims: int, n: int = PLANNED, seed: int = 0) -> tuple[float, float]:
    """The share of documents with a false verdict where nothing is true: each claim for itself, and by Holm's rule."""
    rng, each, by_holm = np.random.default_rng(seed), 0, 0
    for _ in range(documents):
        outcomes = [judged(*NULLS[k % len(NULLS)](rng, n)) for k in range(claims)]
        each += any(outcome.verdict != "undecided" for outcome in outcomes)
        by_holm += any(verdict != "undecided" for verdict in corrected(outcomes))
    return each / documents, by_holm / documents


def found(difference: float, deviation: float, n: int, studies: int, margin: float | None = None) -> float:
    """The share of studies that support a claim that is true: of a difference, or of closeness within a margin."""
    rng = np.random.default_rng(1)
    verdicts = [
        judged(rng.normal(0, deviation, n), rng.normal(difference, deviation, n), margin).verdict
        for _ in range(studies)
    ]
    return verdicts.count("supported") / studies


def planned(difference: float, deviation: float) -> int:
    """How many values are said to decide a claim with this difference and deviation seen."""
    values = np.array([-1.0, 0.0, 1.0]) * deviation  # their deviation
    needed = values_needed(judged(values, values + difference))
    assert needed is not None
    return needed


def main() -> None:
    """Print the shares, with their sampling error."""
    started = time.perf_counter()
    print(f"coverage of the 95% interval, {STUDIES} studies each (+- {1.96 * math.sqrt(0.05 * 0.95 / STUDIES):.3f})")
    print(f"  {'values':32}{'n=3':>8}{'n=5':>8}{'n=10':>8}{'n=20':>8}")
    for name, case in CASES.items():
        print(f"  {name:32}" + "".join(f"{coverage(case, n, STUDIES):8.3f}" for n in (3, 5, 10, 20)))
    each, by_holm = false_verdicts(DOCUMENTS, CLAIMS)
    print(f"documents of {CLAIMS} claims, none true, n={PLANNED}, with a false verdict ({DOCUMENTS} documents)")
    print(f"  each claim for itself {each:.3f}, by Holm's correction {by_holm:.3f}")
    print(f"claims that are true, decided with as many values as are said to be needed (planned: {POWER:.0%})")
    for difference in (0.7, 1.0, 1.5, 2.0):
        n = planned(difference, 1.0)
        print(f"  difference of {difference} deviations, n={n:3}: {found(difference, 1.0, n, STUDIES // 2):.3f}")
    print(f"{time.perf_counter() - started:.0f} s")
