"""Optuna's journal: a file that waits for the disk only where something would be lost without it."""

from __future__ import annotations

import json
import os
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._storage import JournalOperation

WAITS_FOR_THE_NEXT = (
    JournalOperation.CREATE_TRIAL,
    JournalOperation.SET_TRIAL_PARAM,
    JournalOperation.SET_TRIAL_SYSTEM_ATTR,
    JournalOperation.SET_TRIAL_USER_ATTR,
)
"""Records that are a part of something: of a suggestion, which is a dozen of them, or of a trial's end."""


class Journal(JournalFileBackend):
    """A journal with one writer, the driver; fine on network file systems.

    A power cut loses no record that was written, but those that wait for the next: they are on the disk with it, or
    when `settle` returns. A driver that is killed loses none. A wait takes milliseconds, and most of a short trial's
    records are such. The lock is a file, not a symbolic link, which some file systems do not have.
    """

    def __init__(self, path: str) -> None:
        self._path, self._writing = path, JournalFileOpenLock(path)
        super().__init__(path, self._writing)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records: as Optuna's own method, without its `fsync` for those that wait for the next."""
        if any(log["op_code"] not in WAITS_FOR_THE_NEXT for log in logs):
            super().append_logs(logs)
            return
        self._writing.acquire()
        try:
            with open(self._path, "ab") as file:
                file.writelines(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
        finally:
            self._writing.release()

    def settle(self) -> None:
        """Put all that was written on the disk."""
        with open(self._path, "rb") as file:
            os.fsync(file.fileno())


def settle(study: optuna.Study) -> None:
    """Put all that was written of a study on the disk; a database has done so by itself."""
    backend = getattr(study._storage, "_backend", None)
    if isinstance(backend, Journal):
        backend.settle()
