"""What the study cost."""

from __future__ import annotations

import pandas as pd

from study.loaded import LoadedStudy
from study.reporting.document import Section, Table, Text
from study.reporting.history import SECONDS, spent_seconds
from study.reporting.numbers import NOTHING, duration, shown


def section(study: LoadedStudy) -> Section | None:
    """Hours of CPUs and GPUs, and where they went."""
    trials = study.trials()
    if trials.empty:
        return None
    cpus, gpus = (float(study.param(f"{kind}_per_trial", "0")) for kind in ("cpus", "gpus"))
    started, ended = study.recorded.study["start_time"], study.recorded.study["end_time"]
    last = ended if pd.notna(ended) else trials["ended"].max()
    spent = trials.reindex(columns=SECONDS).fillna(0.0).sum()
    total = float(spent.sum())
    share = shown(float(spent.iloc[1]) / total) if total else NOTHING
    memory = trials.get("metrics.memory_mb")
    rows = [
        ["CPU hours", shown(_hours(trials, "cpu")), f"{shown(cpus)} CPUs a trial"],
        ["GPU hours", shown(_hours(trials, "gpu")), f"{shown(gpus)} GPUs a trial"],
        ["from the start to the last end", _between(started, last), ""],
        ["training", duration(float(spent.iloc[0])), "all trials together"],
        ["evaluation", duration(float(spent.iloc[1])), f"share {share}"],
        ["saving", duration(float(spent.iloc[2])), ""],
        ["a trial, mean", duration(float(spent_seconds(trials).mean())), ""],
        ["peak memory of a trial", f"{memory.max():.0f} MB" if memory is not None else NOTHING, ""],
    ]
    note = "Trials hold their CPUs and GPUs while they run; those that have not ended are not counted."
    return Section("Cost", [Table(["", "amount", ""], rows, "What the study cost"), Text(note)])


def _hours(trials: pd.DataFrame, kind: str) -> float:
    """The hours of trials that have ended."""
    column = f"metrics.{kind}_hours"
    return float(trials[column].sum()) if column in trials else 0.0


def _between(started: pd.Timestamp, ended: pd.Timestamp) -> str:
    return duration((ended - started).total_seconds()) if pd.notna(ended) else NOTHING
