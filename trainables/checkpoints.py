"""Checkpoints of a trial: written whole or not at all, and read back from the newest whole one."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from trainables.files import sha256_of, write_atomically

KEPT = 2
"""How many of the newest are kept: if the last is damaged, there is one before it."""


class CheckpointFolder:
    """The checkpoints of one trial, `round-00000012.pt` and its checksum, in one folder.

    A file appears by an atomic rename after its bytes are on the disk. The checksum is in a file of its own, which
    appears first: a checkpoint without a matching checksum is never used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: dict[str, Any], round_number: int, kept: int = KEPT) -> None:
        """Write `state` (tensors and plain types) as the checkpoint after `round_number`; keep the `kept` newest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"round-{round_number:08d}.pt"
        content = io.BytesIO()
        torch.save(state, content)
        write_atomically(path.with_suffix(".sha256"), hashlib.sha256(content.getbuffer()).hexdigest().encode())
        write_atomically(path, content.getbuffer())
        for old in self._newest_first()[kept:]:
            old.unlink()
            old.with_suffix(".sha256").unlink(missing_ok=True)

    def load_newest(self) -> dict[str, Any] | None:
        """The newest whole checkpoint, on the CPU; None without any. Damaged ones are skipped with a warning."""
        for path in self._newest_first():
            checksum = path.with_suffix(".sha256")
            if checksum.exists() and checksum.read_bytes() == sha256_of(path).encode():
                return torch.load(path, map_location="cpu", weights_only=True)
            warnings.warn(f"checkpoint {path} is damaged: going back to the one before it.", stacklevel=2)
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("round-*.pt"), reverse=True)
