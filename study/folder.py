"""The folder of a study: what is in it, and who may write to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.errors import InputError
from trainables.files import write_atomically

LOCK_SECONDS = 180.0
"""How long a driver on a cluster waits for an earlier driver, which may still be ending on another node. If that node
was lost, the file system has to notice it first."""
LOCK_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class StudyFolder:
    """Where a study keeps its file, its trials and what its driver needs to go on."""

    path: Path

    @property
    def name(self) -> str:
        """The study's name."""
        return self.path.name

    @property
    def study_json(self) -> Path:
        """The options of the study. It is written last: its presence marks the study as set up."""
        return self.path / "study.json"

    @property
    def journal(self) -> Path:
        """Optuna's memory of the study, unless that is in a database."""
        return self.path / "optuna.journal"

    @property
    def spool(self) -> Path:
        """Events that the tracking server does not have yet."""
        return self.path / "spool"

    @property
    def outside(self) -> Path:
        """Copies of modules from outside the project."""
        return self.path / "outside"

    def trial(self, number: int) -> Path:
        """The folder of a trial: its checkpoints, its pictures and its best weights."""
        return self.path / "trials" / trial_key(number)

    def is_set_up(self) -> bool:
        """Whether the study has been started. A folder without `study.json` was left by a driver that died before."""
        return self.study_json.exists()

    def read(self) -> dict[str, Any]:
        """What `study.json` says."""
        return json.loads(self.study_json.read_text())

    def write(self, content: dict[str, Any]) -> None:
        """Write `study.json`, whole or not at all."""
        write_atomically(self.study_json, json.dumps(content, indent=2).encode())

    @contextmanager
    def only_driver(self, patience: float, status: Callable[[str], AbstractContextManager]) -> Iterator[None]:
        """Hold the study's lock; the system releases it when the process ends, however it ends.

        Waits `patience` seconds for another driver, and says so by `status`; raises `InputError` after that.
        """
        from filelock import FileLock, Timeout

        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "driver.lock", timeout=0, poll_interval=LOCK_POLL_SECONDS)
        with suppress(Timeout):
            lock.acquire()
        if not lock.is_locked and patience:
            waiting = f"waiting for another process that runs study {self.name}, {patience:g} s at most"
            with suppress(Timeout), status(waiting):
                lock.acquire(timeout=patience)
        if not lock.is_locked:
            raise InputError(f"study {self.name!r} is being run by another process: wait for it, or stop it.")
        try:
            yield
        finally:
            lock.release()


def studies_in(storage: Path) -> Path:
    """Where the studies of a storage folder are."""
    return storage / "studies"


def trial_key(number: int) -> str:
    """How runs, folders and Ray's trials name a trial."""
    return f"{number:04d}"


def check_writable(storage: Path) -> None:
    """Make the storage folder; raises `InputError` where nothing can be written to it, or locked in it."""
    from filelock import FileLock

    probe = storage / f".probe-{os.getpid()}"
    try:
        storage.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(4096))
    except OSError as error:
        raise InputError(
            f"cannot write to the storage folder {storage} ({error.strerror}): choose another --storage-dir."
        ) from error
    try:
        # Without flock, FileLock would leave a mark instead, which stays when its process is killed on another node.
        FileLock(probe, timeout=0, fallback_to_soft=False).acquire().lock.release()
    except OSError as error:
        raise InputError(
            f"the file system of {storage} has no locks ({error.strerror}): choose a --storage-dir that has (flock)."
        ) from error
    finally:
        probe.unlink(missing_ok=True)
