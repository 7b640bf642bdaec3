"""The results of a study as a small table of its own, JSON: what documentation quotes, without MLflow."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from study.loaded import LoadedStudy
from study.reporting.numbers import trial_of
from study.reporting.protocol import repeat
from trainables.protocol import AT_BEST, BEST

CLAIM = ("claim", "source", "metric", "lower", "higher", "verdict", "verdict_holm", "effect")
"""What is kept of a claim; the values of its two groups are among it."""
DIGITS = 6
"""Significant digits that are kept of a number."""


def exported(study: LoadedStudy) -> str:
    """The content of a file of results.

    For each trial: how it ended, its parameters, and the objectives, all best values and what was published, each with
    the values of its seeds; further the claims with the values of both groups, the protocols, the command and the
    commit.
    """
    content = {
        "study": study.name,
        "command": repeat(study, anywhere=True),
        "commit": study.tag("git_commit", "unknown"),
        "scale": study.tag("scale"),
        "dataset": study.tag("dataset"),
        "protocol": study.tag("protocol"),
        "objectives": [objective.model_dump() for objective in study.objectives],
        "trials": [_trial(study, row) for _, row in study.trials().iterrows()],
        "claims": [{name: _rounded(row[name]) for name in CLAIM} for _, row in study.claims().iterrows()],
        "references": _rounded(study.recorded.references.to_dict("records")),
    }
    return json.dumps(content, indent=1) + "\n"


def _trial(study: LoadedStudy, row: pd.Series) -> dict[str, Any]:
    objectives = {objective.name for objective in study.objectives}
    params = {
        str(name).removeprefix("params."): value
        for name, value in row.dropna().items()
        if str(name).startswith("params.")
    }
    metrics = [str(name).removeprefix("metrics.") for name in row.dropna().index if str(name).startswith("metrics.")]
    shown = objectives | {metric for first in study.search.first_trials for metric in first.published}
    kept = [name for name in metrics if name in shown or name.endswith((BEST, AT_BEST))]
    return {
        "trial": trial_of(row),
        "state": row["state"],
        "first_trial": None if pd.isna(row["first_trial"]) else row["first_trial"],
        "dataset": row["dataset"],
        "params": params,
        "seeds": {name: _rounded(study.seeds_of(trial_of(row), name)) for name in kept},
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
