"""The note on a study's run in MLflow, in Markdown: the final table, the claims, what to do next."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Sequence

import rich.box
from rich.console import Console
from rich.table import Table

WIDTH = 10_000
"""Characters in a line: nothing is wrapped."""
LONGEST = 8000
"""What MLflow keeps of a note."""


def note(tables: Sequence[Table], commands: Sequence[str]) -> str:
    """Tables and commands in Markdown; tables at the end that would not fit are left out."""
    code = "\n".join(["```", *commands, "```"])
    parts: list[str] = []
    for table in tables:
        part = _markdown(table)
        if sum(map(len, [*parts, part, code])) + 2 * len(parts) + 4 > LONGEST:
            break
        parts.append(part)
    return "\n\n".join([*parts, code])


def _markdown(table: Table) -> str:
    title = [f"**{table.title}**", ""] if table.title else []
    plain = copy.deepcopy(table)
    plain.title, plain.box = None, rich.box.MARKDOWN
    for row in plain.rows:
        row.end_section = False  # Markdown has no line between rows
    for column in plain.columns:
        column.header = str(column.header).replace("\n", "")
    screen = io.StringIO()
    Console(file=screen, width=WIDTH, no_color=True).print(plain)
    lines = [re.sub(r"-{4,}", "---", re.sub(r" +", " ", line)).strip() for line in screen.getvalue().splitlines()]
    return "\n".join([*title, *filter(None, lines)])
