"""Tables for a terminal: the first columns that fit, with numbers whole and text in columns of a readable width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Column, Table

from trainables.options import NO_BREAK

TEXT_WIDTH = 20
"""Letters that a column of text needs to be read, unless it says another `min_width`."""


def fitted(table: Table, width: int) -> tuple[Table, list[str]]:
    """A table of the columns that fit into `width` letters, and the names of the others; the first one always fits.

    The columns stand in the order of their importance: behind one that does not fit, there is none. Those with
    `no_wrap` keep their width; the others are text, which is broken into lines.
    """
    needed = [_needed(column) for column in table.columns]
    number = 1
    while number < len(needed) and _in_all(needed[: number + 1]) <= width:
        number += 1
    columns = table.columns[:number]
    widths = _widened(needed[:number], [_longest(column) for column in columns], width - _in_all(needed[:number]))
    shown = Table(title=table.title, title_justify=table.title_justify, box=table.box)
    for column, wide in zip(columns, widths, strict=True):
        shown.add_column(column.header, justify=column.justify, no_wrap=column.no_wrap, width=wide)
    is_list = [column.no_wrap for column in columns] == [True] * (number - 1) + [False]
    for row, *cells in zip(table.rows, *(column.cells for column in columns), strict=True):
        broken = [*cells[:-1], _broken(str(cells[-1]), widths[-1])] if is_list else cells
        shown.add_row(*broken, end_section=row.end_section)
    return shown, [name_of(column) for column in table.columns[number:]]


def name_of(column: Column) -> str:
    """The header in one line."""
    return str(column.header).replace("\n", "")


def _in_all(widths: Sequence[int]) -> int:
    """The width of a table in rich's simple box: three letters beside each column, and one."""
    return sum(widths) + 3 * len(widths) + 1


def _needed(column: Column) -> int:
    """The smallest width of a column."""
    if column.no_wrap:
        return _longest(column)
    words = [word for line in _lines(column) for word in line.split()]
    return max(min(_longest(column), column.min_width or TEXT_WIDTH), *map(cell_len, words), 0)


def _longest(column: Column) -> int:
    return max(map(cell_len, _lines(column)), default=0)


def _lines(column: Column) -> list[str]:
    return [line for cell in (column.header, *column.cells) for line in str(cell).splitlines()]


def _widened(widths: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Widths with `room` letters more in all, the narrowest columns first, none wider than in `most`."""
    wider = list(widths)
    while room > 0 and (growing := [at for at, wide in enumerate(wider) if wide < most[at]]):
        wider[min(growing, key=wider.__getitem__)] += 1
        room -= 1
    return wider


def _broken(cell: str, width: int) -> str:
    """A list in lines, as in "lr 0.01, width 32": a name stays beside its value."""
    members = re.sub("(?<!,) ", NO_BREAK, cell)
    lines = textwrap.wrap(members, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(NO_BREAK, " ")
