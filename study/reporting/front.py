"""Several objectives: the Pareto front, and the hypervolume that it dominates."""

from __future__ import annotations

import warnings

import numpy as np

from study.loaded import LoadedStudy
from study.reporting.document import Block, Section, Table, Text
from study.reporting.figures import as_svg, drawing, restyled
from study.reporting.numbers import settings, shown
from study.reporting.optuna_view import as_optuna


def section(study: LoadedStudy) -> Section | None:
    """The front as a table and a picture; the hypervolume over time."""
    if len(study.objectives) < 2:
        return None
    rankings = study.rankings()
    if len(rankings) != 1:
        return Section("Pareto front", [Text("There is no front: trials of one protocol are needed.")])
    finished = rankings[0].trials.sort_index()
    pooled = as_optuna(study, finished)
    on_front = [finished.index[trial.number] for trial in pooled.best_trials]
    names = [objective.name for objective in study.objectives]
    rows = [
        [
            str(number),
            *(shown(float(finished.loc[number, f"metrics.{n}"])) for n in names),
            settings(finished.loc[number]),
        ]
        for number in on_front
    ]
    blocks: list[Block] = [
        Table(["trial", *names, "settings"], rows, f"The front: {len(rows)} of {len(finished)} trials")
    ]
    blocks += _pictures(study, pooled, len(rows))
    return Section("Pareto front", blocks)


def _pictures(study: LoadedStudy, pooled, front: int) -> list[Block]:  # type: ignore[no-untyped-def]
    from optuna.visualization.matplotlib import plot_hypervolume_history, plot_pareto_front

    names = [objective.name for objective in study.objectives]
    values = np.array([trial.values for trial in pooled.trials])
    # The worst value of each objective, a little beyond: every trial dominates a part of the volume.
    signs = np.array([1 if objective.direction == "minimize" else -1 for objective in study.objectives])
    worst = (signs * values).max(axis=0)
    reference = signs * (worst + 0.01 * np.maximum(np.ptp(values, axis=0), 1e-9))
    blocks: list[Block] = []
    with drawing(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna's experimental features
        if len(names) <= 3:
            alt = f"Every finished trial by {' and '.join(names)}; the {front} on the front stand out."
            figure = restyled(plot_pareto_front(pooled, target_names=names))
            figure.set_size_inches(6.4, 4.0)
            blocks.append(as_svg(figure, alt, alt))
        point = ", ".join(map(shown, map(float, reference)))
        alt = f"The hypervolume that the front dominates after each trial; the reference point is ({point})."
        figure = restyled(plot_hypervolume_history(pooled, list(map(float, reference))))
        figure.set_size_inches(7.2, 3.0)
        blocks.append(as_svg(figure, alt, alt))
    return blocks
