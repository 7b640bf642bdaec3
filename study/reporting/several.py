"""Several studies of a space beside one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
from mlflow import MlflowClient

from study.events import PARENT
from study.loaded import LoadedStudy, Ranking
from study.reporting.document import Block, Report, Section, Table, Text
from study.reporting.history import spent_seconds
from study.reporting.numbers import better, counted, duration, settings, trial_of, with_deviation
from study.runs import PAGE, STUDY_TAG, TRIAL_TAG
from study.sentences import first_line
from trainables.credentials import without_credentials
from trainables.errors import InputError


def studies_of_space(tracking_uri: str, space: str) -> list[str]:
    """The names of the studies of a space, the oldest first; raises `InputError` where there are none."""
    try:
        client = MlflowClient(tracking_uri)
        experiment = client.get_experiment_by_name(space)
        wanted = f"tags.{TRIAL_TAG} = '{PARENT}'"
        order = ["attributes.start_time ASC"]
        runs = (
            client.search_runs([experiment.experiment_id], wanted, order_by=order, max_results=PAGE)
            if experiment
            else []
        )
    except Exception as error:
        raise InputError(
            f"the tracking server at {without_credentials(tracking_uri)} does not answer ({first_line(error)}): "
            "check --tracking-uri."
        ) from error
    if not runs:
        raise InputError(f"{without_credentials(tracking_uri)} holds no study of a space {space!r}: check its name.")
    return [run.data.tags[STUDY_TAG] for run in runs]


def compare(space: str, studies: Sequence[LoadedStudy]) -> Report:
    """A table for each protocol and objective: numbers of different protocols are not ranked together."""
    groups: dict[tuple[str, ...], list[tuple[LoadedStudy, Ranking]]] = defaultdict(list)
    empty = []
    for study in studies:
        try:
            rankings = study.rankings()
        except InputError as error:
            empty.append(f"{study.name}: {error}")
            continue
        for ranking in rankings:
            objective = study.objectives[0]
            groups[ranking.dataset, ranking.protocol, objective.name, objective.direction].append((study, ranking))
        if not rankings:
            empty.append(f"{study.name}: no trial has finished.")
    answer: list[Block] = [Text(f"{counted(len(studies), 'study').replace('studys', 'studies')} of space {space}.")]
    if len(groups) > 1:
        answer.append(
            Text(
                f"They have {len(groups)} protocols or objectives. Numbers of different protocols may not be compared, "
                "so there is a table for each."
            )
        )
    answer += [Text(sentence) for sentence in empty]
    sections = [
        Section(f"{metric} on {dataset}, protocol {protocol[:8]}", [_table(members)])
        for (dataset, protocol, metric, _), members in groups.items()
    ]
    made = f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, of what MLflow holds of the studies."
    return Report(f"Studies of {space}", "the best of each, the best first", answer, sections, made)


def _table(members: Sequence[tuple[LoadedStudy, Ranking]]) -> Table:
    objective = members[0][0].objectives[0]
    metric = f"metrics.{objective.name}"
    ordered = sorted(members, key=lambda m: m[1].trials.iloc[0][metric], reverse=objective.direction == "maximize")
    best = float(ordered[0][1].trials.iloc[0][metric])
    rows = [_row(study, ranking, best) for study, ranking in ordered]
    header = ["study", "scale", "finished", "compute", "best trial", objective.name, "the best is", "settings"]
    return Table(header, rows)


def _row(study: LoadedStudy, ranking: Ranking, best: float) -> list[str]:
    objective = study.objectives[0]
    row: pd.Series = ranking.trials.iloc[0]
    value = float(row[f"metrics.{objective.name}"])
    return [
        study.name,
        study.tag("scale"),
        str(len(ranking.trials)),
        duration(float(spent_seconds(study.trials()).sum())),
        str(row.name),
        with_deviation(study.seeds_of(trial_of(row), objective.name)),
        "" if value == best else better(best, value, objective.direction),
        settings(row),
    ]
