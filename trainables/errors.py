"""Errors that are meant for a person: one sentence that says what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class InputError(Exception):
    """Bad input. The command line prints the message alone and ends with status 2."""


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return ``table[name]``, or raise `InputError` with the nearest names.

    `kind` says what is looked up, as in "unknown data set 'digit': did you mean 'digits'?".
    """
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose from {', '.join(sorted(table))}."
    raise InputError(f"unknown {kind} {name!r}: {hint}")
