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
    settings = study.search.published
    if not settings:
        return None
    firsts = [first for each in settings.values() for first in each]
    trials = study.trials()
    rows = [row for setting, each in settings.items() for row in _rows(study, setting, each, trials)]
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
    own = {
        setting: {name: pair for name, pair in first.differences.items() if name not in common}
        for setting, (first, *_) in settings.items()
    }
    if any(own.values()):
        further = [
            [name, setting, shown(here), shown(there)]
            for name, differences in own.items()
            for setting, (here, there) in differences.items()
        ]
        blocks.append(Table(["settings", "what differs", "here", "published"], further, "What differs in single rows"))
    return Section("Published figures, cell by cell", blocks)


def _rows(study: LoadedStudy, setting: str, firsts: list[Reference], trials: pd.DataFrame) -> Iterator[list[str]]:
    found = trials[trials["first_trial"].isin([first.name for first in firsts])]
    for metric, value in firsts[0].published.items():
        measured = {int(number): here for number, row in found.iterrows() if (here := _ours(row, metric))}  # type: ignore[call-overload]
        values = [each for number, here in measured.items() for each in study.seeds_of(number, here)]
        name = next(iter(measured.values()), None)
        ours, ratio = NOTHING, NOTHING
        if name is not None:
            ours = with_deviation(values) + (f" ({name})" if name != metric else "")
            ratio = shown(sum(values) / len(values) / value) if values and value and name == metric else NOTHING
        elif len(found):
            state = str(found["state"].iloc[-1])
            ours = "not measured" if state == "finished" else state
        yield [setting, metric, shown(value), ours, ratio]


def _ours(row: pd.Series, metric: str) -> str | None:
    """The metric of ours to show beside a published one: of another extractor, where this one was not measured."""
    if row["state"] != "finished":
        return None
    if pd.notna(row.get(f"metrics.{metric}")):
        return metric
    family, _, extractor = base_name(metric).partition("_")
    ending = metric.removeprefix(base_name(metric))
    for name in ("inception", "lenet", "efficientnet") if extractor else ():
        if pd.notna(row.get(f"metrics.{family}_{name}{ending}")):
            return f"{family}_{name}{ending}"
    return None


def _common(firsts: list[Reference]) -> Differences:
    """The settings that differ in the same way in all rows."""
    shared = firsts[0].differences.items()
    return {name: pair for name, pair in shared if all(first.differences.get(name) == pair for first in firsts)}
