"""Files that grow by a JSON record a line: what a power cut, a full disk or a bad sector leaves of them is mended."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

from trainables.errors import InputError
from trainables.files import write_atomically


def mend(path: Path, may_lose: Callable[[bytes], bool] = lambda piece: True) -> bool:
    """Drop what is no whole record, and warn of it; returns whether the file was changed.

    Only call it while nobody else writes to the file. Where a record was appended to a torn one, it is kept. A damaged
    piece with whole records after it is dropped if the file `may_lose` it: those records must mean the same without
    it. Then a copy of the file is kept, with `.damaged` after its name. Otherwise `InputError`.
    """
    if not path.exists():
        return False
    content = path.read_bytes()
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    found = [_split(line) for line in lines]
    last = max((index for index, (_, record) in enumerate(found) if record), default=-1)
    inside = [(index + 1, piece) for index, (piece, _) in enumerate(found[: last + 1]) if piece]
    for number, piece in inside:
        if not may_lose(piece):
            raise InputError(
                f"line {number} of {path} is damaged, and whole records follow it: put back a copy of the file, "
                "or cut the file off before that line to lose what follows."
            )
    whole = b"".join(record + b"\n" for _, record in found if record)
    if whole == content:
        return False
    if inside:
        shutil.copyfile(path, path.with_name(f"{path.name}.damaged"))
    write_atomically(path, whole)
    if torn := len(found) - 1 - last:
        warnings.warn(f"{path} was not written to its end: dropped {torn} torn record(s).", stacklevel=2)
    if inside:
        where = ", ".join(str(number) for number, _ in inside)
        warnings.warn(
            f"{path} is damaged: dropped what cannot be read in line(s) {where}, and kept a copy, {path.name}.damaged.",
            stacklevel=2,
        )
    return True


def _split(line: bytes) -> tuple[bytes, bytes]:
    """What is damaged in a line, and the whole record that ends it; either may be empty."""
    start = line.find(b"{")
    while start >= 0:
        if isinstance(parsed(line[start:]), dict):
            return line[:start], line[start:]
        start = line.find(b"{", start + 1)
    return line, b""


def parsed(line: bytes) -> object:
    """The JSON in a line; None if it is damaged."""
    try:
        return json.loads(line)
    except ValueError:
        return None
