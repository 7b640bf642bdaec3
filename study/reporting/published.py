"""The published figures beside ours, cell by cell, with what differs."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from study.about import Differences, Reference
from study.loaded import LoadedStudy
from study.reporting.document import Block, Section, Table, Text
from study.reporting.numbers import NOTHING, shown, with_deviation
from trainables.protocol import base_name


def section(study: LoadedStudy) -> Section | None:
    """A row per published figure."""
    firsts = [first for first in study.search.first_trials if first.published]
    if not firsts:
        return None
    trials = study.trials()
    rows = [row for first in firsts for row in _rows(study, first, trials)]
    header = ["settings", "metric", "published", "here", "here / published"]
    blocks: list[Block] = [Table(header, rows, "Published figures and ours")]
    common = _common(firsts)
    conditions = [
        [name, shown(here), shown(there)] for name, (here, there) in (study.search.differences | common).items()
    ]
    if conditions:
        blocks.append(Table(["what differs", "here", "published"], conditions, "What differs from the document"))
        blocks.append(Text("Where so much differs, compare the order of the rows, not the numbers."))
    else:
        blocks.append(Text("Data, budget, measures and settings are the published ones."))
    own = {first.name: {k: v for k, v in first.differences.items() if k not in common} for first in firsts}
    if any(own.values()):
        further = [
            [name, setting, shown(here), shown(there)]
            for name, differences in own.items()
            for setting, (here, there) in differences.items()
        ]
        blocks.append(Table(["settings", "what differs", "here", "published"], further, "What differs in single rows"))
    return Section("Published figures, cell by cell", blocks)


def _rows(study: LoadedStudy, first: Reference, trials: pd.DataFrame) -> Iterator[list[str]]:
    found = trials[trials["first_trial"] == first.name]
    for metric, value in first.published.items():
        ours, ratio, name = NOTHING, NOTHING, metric
        for number, row in found.iterrows():
            here, missing = _ours(row, metric)
            if here is None:
                ours = "not measured" if row["state"] == "finished" else str(row["state"])
                continue
            values = study.seeds_of(int(number), here)  # type: ignore[call-overload]
            ours = with_deviation(values) + (f" ({here})" if missing else "")
            if values and not missing and value:
                ratio = shown(sum(values) / len(values) / value)
        yield [first.name, name, shown(value), ours, ratio]


def _ours(row: pd.Series, metric: str) -> tuple[str | None, bool]:
    """The metric of ours to show beside a published one, and whether it is another extractor's."""
    if row["state"] != "finished":
        return None, False
    if pd.notna(row.get(f"metrics.{metric}")):
        return metric, False
    family, _, extractor = base_name(metric).partition("_")
    ending = metric.removeprefix(base_name(metric))
    for name in ("inception", "lenet", "efficientnet") if extractor else ():
        if pd.notna(row.get(f"metrics.{family}_{name}{ending}")):
            return f"{family}_{name}{ending}", True
    return None, False


def _common(firsts: list[Reference]) -> Differences:
    """The settings that differ in the same way in all rows."""
    shared = firsts[0].differences.items()
    return {name: pair for name, pair in shared if all(first.differences.get(name) == pair for first in firsts)}
