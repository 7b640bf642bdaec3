"""The verdicts of a study on the claims of its space, for the screen, for MLflow and for `claims.json`."""

from __future__ import annotations

import bisect
import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from search_spaces.space import SearchSpace
from study.claims import Outcome, Trials, Verdict, corrected, judge
from study.optuna_storage import METRICS, trained
from study.plan import StudyPlan
from study.power import seen, values_needed
from study.registration import record, registered
from study.sentences import MOST_TIMES
from study.trials import FAILURE, PROCESS_LOST
from trainables.files import write_atomically
from trainables.preparation import Preparations
from trainables.protocol import base_name
from trainables.repetitions import PER_SEED

CLAIMS_FILE = "claims.json"
IN_DECIBELS = "psnr"
"""How metrics begin whose unit is one that people know."""
MOST_TIMES_THE_SEEDS = 10
"""Nobody repeats a study more often than so for the sake of one claim."""
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "undecided")


@dataclass(frozen=True)
class Judged:
    """A claim with its verdicts, and what a reader needs to trust them."""

    outcome: Outcome
    corrected: Verdict
    """By Holm's correction over the claims of the document."""
    effect: str
    """The size of the difference in words, with its interval."""
    needed: int | None
    """Of an undecided claim, how many values each group needs; None if it is decided, or out of reach."""
    sha256: str
    after_the_fact: bool
    """Whether the claim was added or changed after the study had started."""

    @property
    def values(self) -> int:
        """The number of values in the smaller group, or of pairs."""
        claim, outcome = self.outcome.claim, self.outcome
        return min(
            len(values)
            for side, values in ((claim.lower, outcome.lower), (claim.higher, outcome.higher))
            if callable(side)
        )

    @property
    def what_decides(self) -> str:
        """What would decide an undecided claim."""
        if self.outcome.verdict != "undecided":
            return ""
        if self.needed is None:
            return "no number of seeds within reach"
        more = max(1, self.needed - self.values)
        if self.values < 2 or not all(map(math.isfinite, [*self.outcome.lower, *self.outcome.higher])):
            return f"about {more} more"
        difference, deviation = seen(self.outcome)
        return f"seen difference {difference:.2g}, deviation {deviation:.2g}: about {more} more"

    def to_json(self) -> dict[str, Any]:
        """The claim, its values and its verdicts; infinite numbers as None."""
        outcome = self.outcome
        return {
            "text": outcome.claim.text,
            "source": outcome.claim.source,
            "metric": outcome.claim.reported_as,
            "rule": outcome.claim.rule,
            "planned": outcome.claim.planned,
            "lower": [_finite(value) for value in outcome.lower],
            "higher": [_finite(value) for value in outcome.higher],
            "difference": _finite(outcome.difference),
            "interval": [_finite(end) for end in outcome.interval],
            "probability_higher": _finite(outcome.probability_higher),
            "p": outcome.p,
            "verdict": outcome.verdict,
            "verdict_holm": self.corrected,
            "effect": self.effect,
            "values": self.values,
            "values_needed": self.needed,
            "sha256": self.sha256,
            "after_the_fact": self.after_the_fact,
        }


def judge_all(plan: StudyPlan, study: optuna.Study, preparations: Preparations) -> list[Judged]:
    """A verdict on each claim of the space, by the trials that have ended."""
    measured = next(iter(plan.protocols.values())).metrics()
    references = next(iter(preparations.values())).references if len(preparations) == 1 else {}
    trials = ended(study)
    outcomes = []
    for claim in plan.claims:
        metric = measured.get(base_name(claim.metric))
        outcomes.append(judge(claim, trials, metric.direction if metric else None))
    return with_context(outcomes, plan.space, registered(plan.folder.path), references)


def with_context(
    outcomes: Sequence[Outcome],
    space: SearchSpace,
    registration: Mapping[str, Any],
    references: Mapping[str, float],
) -> list[Judged]:
    """The outcomes with what is beside a verdict; `references` are the reference values of the data set."""
    known = {each["sha256"] for each in registration["claims"]}
    judged = []
    for outcome, verdict in zip(outcomes, corrected(outcomes), strict=True):
        needed = values_needed(outcome) if outcome.verdict == "undecided" else None
        sha256 = record(outcome.claim, space)["sha256"]
        judged.append(
            Judged(outcome, verdict, effect_in_words(outcome, references), needed, sha256, sha256 not in known)
        )
    return judged


def ended(study: optuna.Study) -> Trials:
    """The last metrics of each seed. A failed trial of which no seed is known counts as one failed seed.

    A trial whose process was killed is left out: that says nothing about its settings.
    """
    finished, failed = (trained(study, state) for state in (TrialState.COMPLETE, TrialState.FAIL))
    return [
        *((t.params, t.user_attrs.get(PER_SEED) or [t.user_attrs.get(METRICS, {})]) for t in finished),
        *(
            (t.params, t.user_attrs.get(PER_SEED) or [None])
            for t in failed
            if t.user_attrs.get(FAILURE) != PROCESS_LOST
        ),
    ]


def effect_in_words(outcome: Outcome, references: Mapping[str, float]) -> str:
    """How large the difference is: a ratio, shares of runs, decibels, a part of the way from noise to test images, and
    where nothing of that is known, standard deviations."""
    claim, difference, (least, most) = outcome.claim, outcome.difference, outcome.interval
    if math.isnan(difference):
        return ""
    if not all(map(math.isfinite, (difference, *outcome.lower, *outcome.higher))):
        return "some runs failed: only their order counts"

    def with_interval(shown: str, unit: float = 1.0, after: str = "", plus: float = 0.0) -> str:
        """The difference and its ends in a unit; an end that no value bounds is left open."""
        middle, low, high = (plus + value / unit for value in (difference, least, most))
        ends = f"{low:{shown}} to {high:{shown}}"
        ends = ends if math.isfinite(least) and math.isfinite(most) else "an end of the interval is open"
        return f"{middle:{shown}}{after} ({ends})"

    if claim.success is not None:
        return with_interval("+.0%", after=" of runs")
    if claim.compared_by == "ratio":
        return with_interval(".3g", after=" times as high")
    base = base_name(claim.metric)
    if base.startswith(IN_DECIBELS):
        return with_interval("+.2f", after=" dB")
    way = references.get(f"{base}_noise", math.nan) - references.get(f"{base}_test_images", math.nan)
    if math.isfinite(way) and way != 0:
        return with_interval(".1%", abs(way), " of the way from noise to test images")
    if min(*outcome.lower, *outcome.higher) > 0:
        mean = sum(outcome.lower) / len(outcome.lower)
        if difference > MOST_TIMES * mean:
            return with_interval(",.3g", mean, " times as high", plus=1.0)
        return with_interval("+.0%", mean)
    _, deviation = seen(outcome)
    if deviation > 0:
        return with_interval(".2g", deviation, " standard deviations")
    return f"{difference:.3g}"


def write_claims(path: Path, judged: Sequence[Judged], registration: Mapping[str, Any]) -> None:
    """Write `claims.json`: the verdicts, what was registered and is gone, and when and by which code."""
    present = {each.sha256 for each in judged}
    content = {
        "registered": registration.get("registered"),
        "commit": registration.get("commit"),
        "claims": [each.to_json() for each in judged],
        "withdrawn": [each["text"] for each in registration["claims"] if each["sha256"] not in present],
        "counts": counts(judged),
    }
    write_atomically(path, json.dumps(content, indent=2).encode())


def counts(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """How many claims have which verdict, each for itself and by Holm's correction."""
    each = Counter(j.outcome.verdict for j in judged)
    holm = Counter(j.corrected for j in judged)
    return {"each": {v: each[v] for v in VERDICTS}, "holm": {v: holm[v] for v in VERDICTS}}


def seeds_that_decide(judged: Sequence[Judged], seeds: int) -> tuple[int, int] | None:
    """A number of seeds a trial, and how many of the undecided claims so many would decide, if nothing else changes.

    A claim that asks for many times as many seeds is left out, unless every one does: then it is the cheapest.
    """
    needed = sorted(
        max(math.ceil(seeds * each.needed / max(1, each.values)), seeds + 1) for each in judged if each.needed
    )
    if not needed:
        return None
    enough = max((number for number in needed if number <= MOST_TIMES_THE_SEEDS * seeds), default=needed[0])
    return enough, bisect.bisect_right(needed, enough)


def more_seeds_command(study_json: str, seeds: int, storage: Sequence[str]) -> str:
    """The options that start the same study with more seeds."""
    return shlex.join(["--config", study_json, "--seeds", str(seeds), *storage])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
