"""The document's claims with their verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from study.loaded import LoadedStudy
from study.reporting.document import Section, Table, Text
from study.reporting.numbers import NOTHING, counted, shown


def section(study: LoadedStudy) -> Section | None:
    """A row per claim."""
    claims = study.claims()
    if claims.empty:
        return None
    rows = [
        [
            str(row["claim"]),
            str(row["source"]),
            str(row["metric"]),
            _mean(row["lower"]),
            _mean(row["higher"]),
            f"{'ratio ' * (row['compared_by'] == 'ratio')}{shown(float(row['difference']))}",
            f"{shown(float(row['low']))} to {shown(float(row['high']))}",
            str(row["verdict"]),
        ]
        for _, row in claims.iterrows()
    ]
    header = ["claim", "source", "metric", "said to be lower", "said to be higher", "difference", "95%", "verdict"]
    note = (
        "Each seed of a trial is a value. A claim is supported where the whole interval is on its side, contradicted "
        "where it is on the other, else undecided. Each is judged for itself: of twenty claims about equal groups, "
        "one is expected to look decided."
    )
    return Section("Claims", [Text(note), Table(header, rows, counted(len(rows), "claim") + " of the document")])


def _mean(values: Sequence[float]) -> str:
    """The mean of a group with its size; of one with failed seeds, their number."""
    if not values:
        return NOTHING
    finite = [value for value in values if math.isfinite(value)]
    failed = len(values) - len(finite)
    mean = shown(float(np.mean(finite))) if finite else NOTHING
    return f"{mean} (n={len(values)}{f', {failed} failed' if failed else ''})"
