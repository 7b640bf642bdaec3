"""What early results say about the end, and what early stopping kept and lost."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from study.loaded import LoadedStudy, Ranking
from study.reporting.document import Block, Section, Table, Text
from study.reporting.numbers import NOTHING, counted, shown

RUNGS_SHOWN = 10
FEWEST = 5
"""Finished trials below which a rank correlation says nothing."""
KEPT = 3
"""How many of the final best are looked for at earlier rounds."""


def section(study: LoadedStudy) -> Section | None:
    """Rank correlations of the evaluations with the end; what was stopped, and where the best were then."""
    blocks: list[Block] = []
    rankings = study.rankings()
    for ranking in rankings:
        table = _correlations(study, ranking)
        if table is not None:
            blocks.append(table)
    blocks += _stopped(study, rankings)
    return Section("Early results and early stopping", blocks) if blocks else None


def _correlations(study: LoadedStudy, ranking: Ranking) -> Table | None:
    """A row per evaluation: how well it orders the trials that have finished."""
    values = _values(study)
    finished = [number for number in ranking.trials.index if number in values.index]
    if len(finished) < FEWEST:
        return None
    of_finished = values.loc[finished]
    rounds = [r for r in of_finished.columns if of_finished[r].notna().sum() >= FEWEST]
    if len(rounds) < 2:
        return None
    *early, last = rounds
    picked = [early[i] for i in np.unique(np.linspace(0, len(early) - 1, min(len(early), RUNGS_SHOWN)).astype(int))]
    final = ranking.trials[f"metrics.{study.objectives[0].name}"].astype(float)
    rows = []
    for round_number in picked:
        here = of_finished[round_number].dropna()
        ends = final.loc[here.index]
        constant = here.nunique() < 2 or ends.nunique() < 2
        correlation = math.nan if constant else float(spearmanr(here, ends).statistic)
        everybody = values[round_number].dropna()
        ranks = everybody.rank(ascending=study.objectives[0].direction == "minimize", method="min")
        best = [str(int(ranks[number])) if number in ranks else NOTHING for number in ranking.trials.index[:KEPT]]
        rows.append(
            [
                str(round_number),
                str(len(here)),
                shown(correlation),
                f"{', '.join(best)} of {len(everybody)}",
            ]
        )
    label = f" on {ranking.dataset}" if len(study.rankings()) > 1 else ""
    header = ["round", "finished trials", "rank correlation with the end", f"ranks of the final best {KEPT} then"]
    return Table(header, rows, f"What an evaluation says about the end (round {last}){label}")


def _values(study: LoadedStudy) -> pd.DataFrame:
    """The objective by trial (rows) and round (columns)."""
    curves = study.curves([study.objectives[0].name])
    return curves.pivot_table(index="trial", columns="round", values="value", aggfunc="last")


def _stopped(study: LoadedStudy, rankings: list[Ranking]) -> list[Block]:
    trials = study.trials()
    early = trials[trials["state"] == "stopped early"]
    scheduler = study.param("scheduler", "none")
    if early.empty:
        return [Text(f"No trial was stopped early (scheduler: {scheduler}).")] if scheduler != "none" else []
    rounds = trials["metrics.round"].fillna(0.0)
    budgets = trials["config.rounds"].astype(float)
    finished = int((trials["state"] == "finished").sum())
    saved = float((budgets - rounds)[early.index].sum())
    all_rounds = float(budgets[trials["state"].isin(["finished", "stopped early"])].sum())
    counts = early["metrics.round"].astype(int).value_counts().sort_index()
    where = ", ".join(f"{number} at round {at}" for at, number in counts.items())
    text = (
        f"{scheduler} stopped {counted(len(early), 'trial')} ({where}) and kept {finished}. That saved "
        f"{saved / all_rounds:.0%} of the rounds that all of them would have taken. "
    )
    return [Text(text + _lost(study, rankings, early))]


def _lost(study: LoadedStudy, rankings: list[Ranking], early: pd.DataFrame) -> str:
    """What may have been lost: nobody knows where the stopped trials would have ended."""
    metric = f"metrics.{study.objectives[0].name}"
    sign = 1 if study.objectives[0].direction == "minimize" else -1
    values = _values(study)
    close = 0
    for _, row in early.iterrows():
        of_protocol = next((r for r in rankings if r.protocol == row["protocol"]), None)
        at = int(row["metrics.round"])
        if of_protocol is None or at not in values.columns:
            continue
        best_then = values[at].get(of_protocol.trials.index[0], math.nan)
        close += bool(sign * float(row[metric]) < sign * best_then)
    if not close:
        return "None of them was ahead of the final best trial when it was stopped."
    return (
        f"{counted(close, 'trial')} of them {'was' if close == 1 else 'were'} ahead of the final best trial when "
        f"{'it was' if close == 1 else 'they were'} stopped: whether a better one was lost is not known."
    )
