"""Errors of other libraries, made fit for a sentence."""

from __future__ import annotations

import re


def without_credentials(text: str) -> str:
    """`text` without the user and the password of any URI in it."""
    return re.sub(r"://[^/\s]*@", "://", text)


def first_line(error: Exception) -> str:
    """The first line of an error's message, without credentials, short enough for a sentence."""
    line = without_credentials((str(error).splitlines() or [type(error).__name__])[0])
    return line if len(line) <= 160 else line[:157] + "..."
