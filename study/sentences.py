"""What sentences share: errors of other libraries, made fit for one, names, and when a number is told as a share."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.credentials import without_credentials

ASIDE = "(raised as a result of "
"""How a line of SQLAlchemy's begins that may precede the error itself."""

MOST_TIMES = 10
"""A value that is so many times as large as another one, or more, is not told as a share of it."""

MOST_NAMES = 3
"""Of more than so many names a sentence has the first and the last one."""


def names_of(several: Sequence[str], noun: str) -> str:
    """One or more names in a sentence: `a`, `a, b and c`, or `10 data sets from a to j`."""
    if len(several) > MOST_NAMES:
        return f"{len(several)} {noun} from {several[0]} to {several[-1]}"
    *before, last = several
    return f"{', '.join(before)} and {last}" if before else last


def first_line(error: Exception) -> str:
    """The first line of an error's message, without credentials, short enough for a sentence."""
    lines = [line for line in str(error).splitlines() if not line.startswith(ASIDE)]
    line = without_credentials((lines or [type(error).__name__])[0])
    return line if len(line) <= 160 else line[:157] + "..."
