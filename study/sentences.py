"""What sentences share: errors of other libraries, made fit for one, and when a number is told as a share."""

from __future__ import annotations

from trainables.credentials import without_credentials

ASIDE = "(raised as a result of "
"""How a line of SQLAlchemy's begins that may precede the error itself."""

MOST_TIMES = 10
"""A value that is so many times as large as another one, or more, is not told as a share of it."""


def first_line(error: Exception) -> str:
    """The first line of an error's message, without credentials, short enough for a sentence."""
    lines = [line for line in str(error).splitlines() if not line.startswith(ASIDE)]
    line = without_credentials((lines or [type(error).__name__])[0])
    return line if len(line) <= 160 else line[:157] + "..."
