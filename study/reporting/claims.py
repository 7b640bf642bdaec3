"""The document's claims with their verdicts."""

from __future__ import annotations

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
            str(row["claim"]) + (" (added or changed after the start)" if row["after_the_fact"] else ""),
            str(row["source"]),
            str(row["metric"]),
            _mean(row["lower"]),
            _mean(row["higher"]),
            f"{shown(row['difference'])} ({shown(row['low'])} to {shown(row['high'])})",
            str(row["effect"]),
            str(row["verdict"]),
            str(row["verdict_holm"]),
        ]
        for _, row in claims.iterrows()
    ]
    header = ["claim", "source", "metric", "said to be lower", "said to be higher", "difference, 95%", "effect"]
    header += ["verdict", "by Holm"]
    note = (
        "Each seed of a trial is a value. A claim is supported where the whole interval is on its side, contradicted "
        "where it is on the other, else undecided. The last column is the verdict by Holm's correction over all "
        "claims: of twenty claims about equal groups, one is expected to look decided without it."
    )
    return Section("Claims", [Text(note), Table(header, rows, counted(len(rows), "claim") + " of the document")])


def _mean(values: Sequence[float | None]) -> str:
    """The mean of a group with its size, and how many of its seeds have failed."""
    if not values:
        return NOTHING
    finite = [value for value in values if value is not None]
    failed = len(values) - len(finite)
    mean = shown(float(np.mean(finite))) if finite else NOTHING
    return f"{mean} (n={len(values)}{f', {failed} failed' if failed else ''})"
