"""The best result so far against the compute that was spent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from study.loaded import LoadedStudy, Ranking
from study.reporting.document import Block, Section, Table
from study.reporting.figures import ACCENT, MUTED, OTHER, as_svg, axes, drawing
from study.reporting.numbers import duration, shown

SECONDS = [f"metrics.seconds_{what}" for what in ("training", "evaluation", "saving")]
LOG_RATIO = 20
"""Values that differ by more than this factor are drawn on a logarithmic axis."""


def spent_seconds(trials: pd.DataFrame) -> pd.Series:
    """The seconds that each trial has trained, evaluated and saved, 0 where nothing is known."""
    return trials.reindex(columns=SECONDS).fillna(0.0).sum(axis=1)


def section(study: LoadedStudy) -> Section | None:
    """A picture and a table of the improvements, protocol by protocol."""
    trials = study.trials()
    metric = f"metrics.{study.objectives[0].name}"
    # Trials end in this order, and each adds its compute; those without a result have spent theirs, too.
    ordered = trials.assign(spent=spent_seconds(trials)).sort_values("ended")
    ordered["spent"] = ordered["spent"].cumsum()
    blocks: list[Block] = []
    rankings = study.rankings()
    for ranking in rankings:
        shown_trials = ordered[(ordered["protocol"] == ranking.protocol) & ordered[metric].notna()]
        if len(shown_trials) > 1:
            blocks += _blocks(study, ranking, shown_trials, len(rankings) > 1)
    return Section("History", blocks) if blocks else None


def _blocks(study: LoadedStudy, ranking: Ranking, rows: pd.DataFrame, name_dataset: bool) -> list[Block]:
    objective = study.objectives[0]
    metric = f"metrics.{objective.name}"
    finished = rows[rows["state"] == "finished"]
    values = finished[metric].astype(float)
    best = values.cummin() if objective.direction == "minimize" else values.cummax()
    improved = finished[best != best.shift()]
    hours = rows["spent"] / 3600
    unit, factor = ("hours", 1.0) if hours.max() > 1 else ("minutes", 60.0)
    label = f" on {ranking.dataset}" if name_dataset else ""
    first, last = improved.iloc[0], improved.iloc[-1]
    alt = (
        f"The best {objective.name}{label} so far against the compute spent: from {shown(float(first[metric]))} "
        f"(trial {first.name}) to {shown(float(last[metric]))} (trial {last.name}), which was found after "
        f"{duration(float(last['spent']))} of {duration(float(rows['spent'].max()))}."
    )
    with drawing():
        figure, ax = axes()
        is_first = finished["first_trial"].notna()
        for some, marker, color, name in (
            (rows[rows["state"] == "stopped early"], "x", MUTED, "stopped early"),
            (finished[~is_first], "o", ACCENT, "finished"),
            (finished[is_first], "o", OTHER, "first trial"),
        ):
            if len(some):
                ax.scatter(some["spent"] / 3600 * factor, some[metric], s=16, marker=marker, color=color, label=name)
        x = np.append(finished["spent"], rows["spent"].max()) / 3600 * factor
        ax.step(x, np.append(best, best.iloc[-1]), where="post", color=ACCENT, label="best so far")
        ax.set_xlabel(f"{unit} of training, evaluation and saving, all trials together")
        ax.set_ylabel(objective.name)
        drawn = rows[metric].astype(float)
        if drawn.min() > 0 and drawn.max() > LOG_RATIO * drawn.min():
            ax.set_yscale("log")
        ax.legend(fontsize=8)
        picture = as_svg(figure, alt, alt)
    table = [
        [duration(float(row["spent"])), str(number), shown(float(row[metric])), str(row["first_trial"] or "")]
        if pd.notna(row["first_trial"])
        else [duration(float(row["spent"])), str(number), shown(float(row[metric])), "search"]
        for number, row in improved.iterrows()
    ]
    return [picture, Table(["compute", "trial", objective.name, "from"], table, f"Improvements{label}")]
