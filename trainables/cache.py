"""The one cache: what takes long to make is made once, by one process, for all that share the folder.

An entry is a folder of files with `meta.json`, which says what it was made from and what its files' checksums are.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from trainables.files import sha256_of

META_FILE = "meta.json"

Key = dict[str, Any]
"""What an entry is made from, JSON: with another key it is made again."""


class Meta(BaseModel):
    """`meta.json`: the key of the entry, and the checksum of each of its other files by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Key
    sha256: dict[str, str]


def keep(folder: Path, key: Key, make: Callable[[Path], None], again: str) -> Meta:
    """The entry `folder`, made unless it exists, is intact and has this `key`.

    `make(partial)` writes the files of the entry into the empty folder `partial`. `again` is the warning
    when another entry is replaced. An entry appears whole or not at all, several processes may ask for it at once, and
    a complete one may be read-only.

    Raises `OSError` where it cannot be written, and what `make` raises.
    """
    found = find(folder)
    if found is not None and found.key == key:
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        found = find(folder)  # another process may have made it while this one waited for the lock
        if found is not None and found.key == key:
            return found
        if folder.exists():
            warnings.warn(again, stacklevel=3)
        return _make(folder, key, make)


def find(folder: Path) -> Meta | None:
    """The entry `folder` if all its files have their checksums; None where it is absent or damaged."""
    try:
        meta = read_meta(folder)
        intact = all(sha256_of(folder / file) == digest for file, digest in meta.sha256.items())
    except (OSError, ValueError):
        return None
    return meta if intact else None


def read_meta(folder: Path) -> Meta:
    """The entry `folder`, its files unread; raises `OSError` and `ValueError` where it is absent or damaged."""
    return Meta.model_validate_json((folder / META_FILE).read_bytes())


def _make(folder: Path, key: Key, make: Callable[[Path], None]) -> Meta:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
    try:
        partial.mkdir()
        make(partial)
        meta = Meta(key=key, sha256={path.name: sha256_of(path) for path in sorted(partial.iterdir())})
        # No fsync: files that a power failure has left empty are found by their checksums, and made again.
        (partial / META_FILE).write_text(meta.model_dump_json(indent=2))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
        return meta
    finally:
        shutil.rmtree(partial, ignore_errors=True)
