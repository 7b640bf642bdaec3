"""The best trial against the first trials: by how much it is better, and whether that may be chance."""

from __future__ import annotations

import math

import pandas as pd

from search_spaces.claim import Claim, where
from study.claims import Outcome, judge
from study.loaded import LoadedStudy, Ranking
from study.reporting.document import Section, Table, Text
from study.reporting.numbers import NOTHING, better, settings, shown, trial_of, with_deviation

SHOWN = 12
"""First trials in the table."""


def first_trials(ranking: Ranking) -> pd.DataFrame:
    """The finished first trials, the best first."""
    return ranking.trials[ranking.trials["first_trial"].notna()]


def lead(study: LoadedStudy, trial: int, other: int) -> Outcome:
    """How much better a trial is than another, with the 95% interval over their seeds; above 0 is better."""
    objective = study.objectives[0]
    seeds = {number: study.seeds_of(number, objective.name) for number in (trial, other)}
    low, high = (trial, other) if objective.direction == "minimize" else (other, trial)
    claim = Claim("better", "", objective.name, where(trial=low), where(trial=high))
    return judge(
        claim,
        [({"trial": number}, [{objective.name: value} for value in values]) for number, values in seeds.items()],
        objective.direction,
    )


def interval_of(outcome: Outcome) -> str:
    """The interval of a lead: "3.1 to 5.2"."""
    low, high = outcome.interval
    return f"{shown(low)} to {shown(high)}" if math.isfinite(low) else NOTHING


def section(study: LoadedStudy) -> Section | None:
    """The best trial against each first trial, protocol by protocol."""
    blocks: list[Text | Table] = []
    rankings = [ranking for ranking in study.rankings() if len(first_trials(ranking))]
    objective = study.objectives[0]
    for ranking in rankings:
        best = ranking.trials.iloc[0]
        rows = [_row(study, "best", best, None)]
        rows += [_row(study, str(row["first_trial"]), row, best) for _, row in first_trials(ranking)[:SHOWN].iterrows()]
        where_ = f", on {ranking.dataset}" if len(rankings) > 1 else ""
        header = ["", "trial", objective.name, "lead of the best", "lead, 95%", "settings"]
        blocks.append(Table(header, rows, f"The best trial and the first trials{where_}"))
    if not blocks:
        return None
    note = (
        "First trials were enqueued before the search: published settings, or settings found by hand. The interval is "
        "Welch's, over the seeds of both trials; it does not count that the best was chosen among all trials. "
        f"Where a trial has one seed there is no interval ({NOTHING})."
    )
    return Section("The best against the first trials", [Text(note), *blocks])


def _row(study: LoadedStudy, label: str, row: pd.Series, best: pd.Series | None) -> list[str]:
    objective = study.objectives[0]
    number = trial_of(row)
    against, interval = "", ""
    if best is not None and best.name != row.name:
        metric = f"metrics.{objective.name}"
        against = better(float(best[metric]), float(row[metric]), objective.direction)
        interval = interval_of(lead(study, trial_of(best), number))
    seeds = with_deviation(study.seeds_of(number, objective.name))
    return [label, str(number), seeds, against, interval, settings(row)]
