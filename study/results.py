"""python -m study.results PAGE: write the tables of a page again, from the exported results that it names.

A table stands between two comments. The first names a file of `python -m study.report NAME --export FILE` beside the
page, and the columns:

    <!-- table results/NAME.json: data = dataset; latents = params.latents; energy = energy -->
    <!-- end of table -->

A column is `first_trial`, `dataset`, `params.<name>`, or a metric: the mean of its seeds, with their standard deviation
where they differ, or nothing where its method has none. Trials that are equal in all other columns share a row, with
the seeds of all. Where none has finished, the row says how they ended. Where all values are of equally many runs, the
line below the table says so once.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from trainables import command_line
from trainables.errors import InputError
from trainables.options import Option

TABLE = re.compile(r"(<!-- table (?P<file>\S+): (?P<columns>.*?) -->\n).*?(<!-- end of table -->)", re.DOTALL)
NAMES = ("first_trial", "dataset")
PARAMETER = "params."


@dataclass(frozen=True)
class ResultsConfig:
    """Write the tables of a page again, from the exported results that it names."""

    page: Annotated[Path, Option(positional=True)]
    """A Markdown file."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return command_line.run(ResultsConfig, "python -m study.results", rewrite, arguments)


def rewrite(config: ResultsConfig) -> int:
    """Write the page; returns 0."""
    if not config.page.is_file():
        raise InputError(f"there is no page {config.page}: name a Markdown file.")
    config.page.write_text(with_tables(config.page), encoding="utf-8")
    return 0


def with_tables(page: Path) -> str:
    """The text of a page, its tables made from their files."""
    return TABLE.sub(lambda found: _between(found, page), page.read_text(encoding="utf-8"))


def _between(found: re.Match[str], page: Path) -> str:
    from study.reporting.document import Table
    from study.reporting.markdown import table

    file = page.parent / found["file"]
    if not file.is_file():
        raise InputError(f"{page} names {file}, which is not there: export the study, or take the table out.")
    columns = dict(each.split(" = ") for each in " ".join(found["columns"].split()).split("; "))
    trials = json.loads(file.read_text(encoding="utf-8"))["trials"]
    known = dict.fromkeys(name for trial in trials for name in (*NAMES, *trial["seeds"]))
    if missing := [name for name in columns.values() if name not in known and not name.startswith(PARAMETER)]:
        raise InputError(f"no trial of {file} has a metric {missing[0]!r}: there are {', '.join(known)}.")
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for trial in trials:
        alike.setdefault(tuple(_said(trial, column) for column in columns.values() if _is_said(column)), []).append(
            trial
        )
    groups = list(alike.values())
    rows = [[_said(g[0], c) if _is_said(c) else _measured(g, c) for c in columns.values()] for g in groups]
    counts = {len(_values(g, c)) for g in groups for c in columns.values() if not _is_said(c)} - {0}
    note = ""
    if len(counts) == 1 and (count := counts.pop()) > 1:
        rows = [[cell.removesuffix(f" (n={count})") for cell in row] for row in rows]
        note = f"\n*Means of {count} runs, ± their standard deviations.*\n"
    return found[1] + "\n".join(table(Table(list(columns), rows))) + "\n" + note + found[4]


def _is_said(column: str) -> bool:
    """Whether a column is about what was tried; else it is a metric."""
    return column in NAMES or column.startswith(PARAMETER)


def _said(trial: dict[str, Any], column: str) -> str:
    from study.reporting.numbers import shown

    return str(trial[column]) if column in NAMES else shown(trial["params"].get(column.removeprefix(PARAMETER)))


def _measured(trials: Sequence[dict[str, Any]], metric: str) -> str:
    from study.reporting.numbers import with_deviation

    has_finished = any(trial["state"] == "finished" for trial in trials)
    return with_deviation(_values(trials, metric)) if has_finished else str(trials[0]["state"])


def _values(trials: Sequence[dict[str, Any]], metric: str) -> list[float]:
    """The seeds of the trials that have finished."""
    return [v for trial in trials if trial["state"] == "finished" for v in trial["seeds"].get(metric, ())]


if __name__ == "__main__":
    sys.exit(main())
