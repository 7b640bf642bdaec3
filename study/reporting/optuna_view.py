"""The trials that MLflow holds as a study of Optuna in memory, for its importances and its plots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from study.loaded import LoadedStudy


def as_optuna(study: LoadedStudy, finished: pd.DataFrame) -> optuna.Study:
    """Optuna's study of rows of `LoadedStudy.trials`, which have finished."""
    names = [f"metrics.{objective.name}" for objective in study.objectives]
    distributions = {
        name: _wide_enough(distribution, finished[f"params.{name}"].dropna())
        for name, distribution in study.distributions.items()
        if f"params.{name}" in finished
    }
    made = optuna.create_study(directions=[objective.direction for objective in study.objectives])
    made.set_metric_names([objective.name for objective in study.objectives])
    for _, row in finished.dropna(subset=names).iterrows():
        params = {name: row[f"params.{name}"] for name in distributions if pd.notna(row[f"params.{name}"])}
        made.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                values=[float(row[name]) for name in names],
                params=params,
                distributions={name: distributions[name] for name in params},
            )
        )
    return made


def _wide_enough(distribution: BaseDistribution, values: Iterable[Any]) -> BaseDistribution:
    """The distribution with room for first trials that are beyond its range, which Optuna would refuse."""
    values = list(values)
    if isinstance(distribution, CategoricalDistribution) or not values:
        return distribution
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = min(distribution.low, *values), max(distribution.high, *values)
    if isinstance(distribution, FloatDistribution):
        return FloatDistribution(low, high, log=distribution.log)
    return IntDistribution(int(low), int(high), log=distribution.log)
