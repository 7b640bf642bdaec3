"""Checkpoints of a trial: written whole or not at all, and read back from the newest whole one."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

import torch

KEPT = 2
"""How many of the newest are kept: should the last be damaged, there is one before it."""


class CheckpointFolder:
    """The checkpoints of one trial, `round-00000012.pt` and its checksum, in one folder.

    A file appears by an atomic rename after its bytes are on the disk; the checksum is part of its name's
    sibling and is renamed first, so a checkpoint without a matching checksum is never trusted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: dict[str, Any], round_number: int) -> None:
        """Write `state` (tensors and plain types) as the checkpoint after `round_number`, drop the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"round-{round_number:08d}.pt"
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        write_atomically(path.with_suffix(".sha256"), _sha256(partial).encode())
        partial.replace(path)
        for old in self._newest_first()[KEPT:]:
            old.unlink()
            old.with_suffix(".sha256").unlink(missing_ok=True)

    def load_newest(self, map_location: torch.device | str = "cpu") -> dict[str, Any] | None:
        """The newest whole checkpoint, None without any; a damaged one is passed over with a warning."""
        for path in self._newest_first():
            checksum = path.with_suffix(".sha256")
            if checksum.exists() and checksum.read_text() == _sha256(path):
                return torch.load(path, map_location=map_location, weights_only=True)
            warnings.warn(f"checkpoint {path} is damaged: going back to the one before it.", stacklevel=2)
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("round-*.pt"), reverse=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: it appears by a rename after its bytes are on the disk."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
