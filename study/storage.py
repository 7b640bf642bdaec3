"""Optuna's storage: where a study's trials are, and which of them were best."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState


def open_storage(where: str | Path) -> BaseStorage:
    """Optuna's storage: a journal file (one writer, the driver; fine on network file systems), or a database by URL."""
    if is_database(where):
        return optuna.storages.RDBStorage(str(where))
    return JournalStorage(JournalFileBackend(str(where)))


def is_database(where: str | Path) -> bool:
    """Whether `where` is the URL of a database."""
    return "://" in str(where)


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that used their whole budget, the best first by the first objective."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    reverse = study.directions[0] == optuna.study.StudyDirection.MAXIMIZE
    return sorted(finished, key=lambda trial: trial.values[0], reverse=reverse)
