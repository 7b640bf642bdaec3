"""The verdicts of a study on its document's claims: judged by the driver, kept in MLflow."""

from __future__ import annotations

import json
from collections.abc import Sequence

import optuna
from optuna.trial import TrialState

from study.claims import Outcome, Trials, judge
from study.optuna_storage import METRICS
from study.plan import StudyPlan
from study.trials import FAILURE, PROCESS_LOST
from trainables.protocol import base_name
from trainables.repetitions import PER_SEED

CLAIMS_FILE = "claims.json"
"""The artifact of a study with the verdicts on its claims: a list, one entry a claim."""


def judged(plan: StudyPlan, study: optuna.Study) -> list[Outcome]:
    """A verdict on each claim of the space, by the trials that have ended."""
    measured = next(iter(plan.protocols.values())).metrics()
    outcomes = []
    for claim in plan.claims:
        metric = measured.get(base_name(claim.metric))
        outcomes.append(judge(claim, _ended(study), metric.direction if metric else None))
    return outcomes


def as_json(outcomes: Sequence[Outcome]) -> str:
    """The content of `CLAIMS_FILE`."""
    rows = [
        {
            "claim": outcome.claim.text,
            "source": outcome.claim.source,
            "metric": outcome.claim.metric,
            "compared_by": outcome.claim.compared_by,
            "margin": outcome.claim.margin,
            "lower": outcome.lower,
            "higher": outcome.higher,
            "difference": outcome.difference,
            "low": outcome.interval[0],
            "high": outcome.interval[1],
            "verdict": outcome.verdict,
        }
        for outcome in outcomes
    ]
    return json.dumps(rows, indent=2)


def _ended(study: optuna.Study) -> Trials:
    """The last metrics of each seed. A failed trial counts as one failed seed: nothing is known about its others.

    A trial whose process was killed is left out: that says nothing about its settings.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return [
        *((t.params, t.user_attrs.get(PER_SEED) or [t.user_attrs.get(METRICS, {})]) for t in finished),
        *((t.params, [None]) for t in failed if t.user_attrs.get(FAILURE) != PROCESS_LOST),
    ]
