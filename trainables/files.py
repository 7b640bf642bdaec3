"""Files: written whole or not at all; checksums of files and of arrays."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all: it appears by a rename after its bytes are on the disk."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def absolute(path: Path) -> Path:
    """A path of the user, so that it means the same in every process: absolute, with "~" replaced.

    Links are not resolved: what they point to may be elsewhere on another node.
    """
    return Path(os.path.abspath(os.path.expanduser(path)))


def sha256_of_array(array: np.ndarray) -> str:
    """The checksum of an array's values, in hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
