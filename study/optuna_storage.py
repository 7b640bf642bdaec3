"""Optuna's storage: where a study's trials are, and which of them were best."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""How the URLs of databases begin that MLflow takes instead of a server's."""


def open_storage(where: str | Path) -> BaseStorage:
    """Optuna's storage: a journal file (one writer, the driver; fine on network file systems), or a database by URL."""
    if is_database(where):
        return optuna.storages.RDBStorage(with_driver(str(where)))
    return JournalStorage(JournalFileBackend(str(where)))


def with_driver(url: str) -> str:
    """The URL with the PostgreSQL driver that this project installs: SQLAlchemy's own choice changed with 2.1."""
    return re.sub("^(postgresql|postgres)://", "postgresql+psycopg2://", url)


def connect(url: str) -> None:
    """Connect to a database and leave it; raises at once where it does not answer, as MLflow does after minutes."""
    engine = sqlalchemy.create_engine(url)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def is_database(where: str | Path) -> bool:
    """Whether `where` is the URL of a database."""
    return "://" in str(where)


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that used their whole budget, the best first by the first objective."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    reverse = study.directions[0] == optuna.study.StudyDirection.MAXIMIZE
    return sorted(finished, key=lambda trial: trial.values[0], reverse=reverse)
