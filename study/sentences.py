"""Errors of other libraries, made fit for a sentence."""

from __future__ import annotations

from trainables.credentials import without_credentials


def first_line(error: Exception) -> str:
    """The first line of an error's message, without credentials, short enough for a sentence."""
    line = without_credentials((str(error).splitlines() or [type(error).__name__])[0])
    return line if len(line) <= 160 else line[:157] + "..."
