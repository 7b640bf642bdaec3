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
    held = trials["seconds"].astype(float).fillna(0.0).sum() / 3600
    cpus, gpus = (float(study.param(f"{kind}_per_trial", "0")) for kind in ("cpus", "gpus"))
    started, ended = study.recorded.study["start_time"], study.recorded.study["end_time"]
    last = ended if pd.notna(ended) else trials["ended"].max()
    spent = trials.reindex(columns=SECONDS).fillna(0.0).sum()
    total = float(spent.sum())
    share = shown(float(spent.iloc[1]) / total) if total else NOTHING
    memory = trials.get("metrics.memory_mb")
    rows = [
        ["CPU hours", shown(held * cpus), f"{shown(cpus)} CPUs a trial"],
        ["GPU hours", shown(held * gpus), f"{shown(gpus)} GPUs a trial"],
        ["from the start to the last end", _between(started, last), ""],
        ["training", duration(float(spent.iloc[0])), "all trials together"],
        ["evaluation", duration(float(spent.iloc[1])), f"share {share}"],
        ["saving", duration(float(spent.iloc[2])), ""],
        ["a trial, mean", duration(float(spent_seconds(trials).mean())), ""],
        ["peak memory of a trial", f"{memory.max():.0f} MB" if memory is not None else NOTHING, ""],
    ]
    note = "Trials hold their CPUs and GPUs from start to end. A study that was stopped and resumed has gaps."
    return Section("Cost", [Table(["", "amount", ""], rows, "What the study cost"), Text(note)])


def _between(started: pd.Timestamp, ended: pd.Timestamp) -> str:
    return duration((ended - started).total_seconds()) if pd.notna(ended) else NOTHING
