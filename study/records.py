"""Files that grow by a JSON record a line: what a power cut or a full disk leaves of them is mended."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from trainables.errors import InputError
from trainables.files import write_atomically


def mend(path: Path, independent: bool) -> bool:
    """Drop records that were not written to their end, and warn of it; returns whether the file was changed.

    Only call it while nobody else writes to the file. Where a record was appended to a torn one, it is kept. A damaged
    record with others after it is dropped only if the records are `independent`; otherwise `InputError`, because what
    follows may mean something else without it.
    """
    if not path.exists():
        return False
    content = path.read_bytes()
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    found = [_record_in(line) for line in lines]
    last = max((index for index, record in enumerate(found) if record), default=-1)
    damaged = [index + 1 for index, record in enumerate(found[:last]) if not record]
    if damaged and not independent:
        raise InputError(
            f"line {damaged[0]} of {path} is damaged, and whole records follow it: put back a copy of the file, "
            "or cut the file off before that line to lose what follows."
        )
    whole = b"".join(record + b"\n" for record in found if record)
    if whole != content:
        write_atomically(path, whole)
        changed = sum(record != line for record, line in zip(found, lines, strict=True))
        if changed:
            warnings.warn(f"{path} was not written to its end: dropped {changed} torn record(s).", stacklevel=2)
    return whole != content


def _record_in(line: bytes) -> bytes:
    """The record in a line, without the half of another before it; nothing if there is no whole record."""
    start = line.find(b"{")
    while start >= 0:
        if isinstance(parsed(line[start:]), dict):
            return line[start:]
        start = line.find(b"{", start + 1)
    return b""


def parsed(line: bytes) -> object:
    """The JSON in a line; None if it is damaged."""
    try:
        return json.loads(line)
    except ValueError:
        return None
