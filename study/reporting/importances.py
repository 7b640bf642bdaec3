"""Which parameters mattered, and what the objective looks like along the two that mattered most."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from study.loaded import LoadedStudy
from study.reporting.document import Block, Section, Table, Text
from study.reporting.figures import ACCENT, MUTED, as_svg, axes, drawing, restyled
from study.reporting.numbers import NOTHING, shown
from study.reporting.optuna_view import as_optuna

FEWEST = 20
"""Finished trials below which importances say nothing."""
FANOVA_TRIALS = 200
"""fANOVA takes minutes for a thousand trials: of more than this many, it sees evenly spaced ones."""
FANOVA_TREES = 32
TITLE = "Importances"


def section(study: LoadedStudy) -> Section | None:
    """Importances by two methods, slices and a contour."""
    rankings = study.rankings()
    if len(study.distributions) < 2 or not rankings:
        return None
    if len(rankings) > 1:
        return Section(TITLE, [Text("Trials of different protocols may not be pooled, so there are no importances.")])
    finished = rankings[0].trials.sort_index()
    n = len(finished)
    if n < FEWEST:
        return Section(TITLE, [Text(f"Too few: {n} trials have finished, and below {FEWEST} importances say nothing.")])
    if study.search.exhaustive and len(finished) < 2:
        return None
    objective = study.objectives[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna's experimental features
        sampled = finished.iloc[np.unique(np.linspace(0, n - 1, min(n, FANOVA_TRIALS)).astype(int))]
        fanova = _importances(study, as_optuna(study, sampled), FanovaImportanceEvaluator(n_trees=FANOVA_TREES, seed=0))
        pooled = as_optuna(study, finished)
        ped = _importances(study, pooled, PedAnovaImportanceEvaluator())
        names = sorted({*fanova, *ped}, key=lambda name: -fanova.get(name, 0.0))
        if not names:
            return Section(TITLE, [Text("All results are equal.")])
        rows = [[name, shown(fanova.get(name, NOTHING)), shown(ped.get(name, NOTHING))] for name in names]
        header = ["parameter", f"fANOVA (n={len(sampled)})", f"PED-ANOVA (n={n})"]
        blocks: list[Block] = [
            Text(
                f"fANOVA: how much of the variance of {objective.name} a parameter explains. PED-ANOVA: how much the "
                "best tenth differs from all trials in it. Only finished trials count: where bad trials are stopped "
                "early, both see the good ones alone. Where the two disagree, trust neither."
            ),
            _bars(names, fanova, ped),
            Table(header, rows, "Importances, shares of 1"),
        ]
        best = names[:2]
        blocks.append(_slices(study, pooled, best))
        if len(best) == 2:
            blocks.append(_contour(study, pooled, best))
    return Section(TITLE, blocks)


def _importances(study: LoadedStudy, pooled: optuna.Study, evaluator: object) -> dict[str, float]:
    target = (lambda trial: trial.values[0]) if len(study.objectives) > 1 else None
    try:
        found = get_param_importances(pooled, evaluator=evaluator, target=target)  # type: ignore[arg-type]
    except (ValueError, RuntimeError, ZeroDivisionError):  # all values are equal
        return {}
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _bars(names: list[str], fanova: dict[str, float], ped: dict[str, float]) -> Block:
    most = names[0]
    alt = f"Bars of the importances: {most} matters most by fANOVA ({shown(fanova.get(most, NOTHING))}); see the table."
    with drawing():
        figure, ax = axes(height=0.8 + 0.35 * len(names))
        places = np.arange(len(names))
        ax.barh(places - 0.2, [fanova.get(name, 0) for name in names], 0.38, color=ACCENT, label="fANOVA")
        ax.barh(places + 0.2, [ped.get(name, 0) for name in names], 0.38, color=MUTED, label="PED-ANOVA")
        ax.set_yticks(places, names)
        ax.invert_yaxis()
        ax.legend(fontsize=8)
        return as_svg(figure, alt, alt)


def _slices(study: LoadedStudy, pooled: optuna.Study, names: list[str]) -> Block:
    from optuna.visualization.matplotlib import plot_slice

    objective = study.objectives[0].name
    alt = f"{objective} of each finished trial along {' and '.join(names)}; later trials are darker."
    with drawing():
        plot = plot_slice(pooled, params=names, target=_first(study), target_name=objective)
        figure = restyled(plot)
        figure.set_size_inches(7.2, 3.2)
        return as_svg(figure, alt, alt)


def _contour(study: LoadedStudy, pooled: optuna.Study, names: list[str]) -> Block:
    from optuna.visualization.matplotlib import plot_contour

    objective = study.objectives[0].name
    alt = f"Contours of {objective} over {names[0]} and {names[1]}, drawn between the finished trials (points)."
    with drawing():
        plot = plot_contour(pooled, params=names, target=_first(study), target_name=objective)
        figure = restyled(plot)
        figure.set_size_inches(6.4, 4.2)
        return as_svg(figure, alt, alt)


def _first(study: LoadedStudy):  # type: ignore[no-untyped-def]
    return (lambda trial: trial.values[0]) if len(study.objectives) > 1 else None
