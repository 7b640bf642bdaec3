"""Optuna's study: where its trials are, how it begins, and which trials are the best."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from search_spaces.space import FirstTrial
from study.journal import Journal, settle
from study.records import mend
from study.samplers import make_sampler
from study.sentences import first_line
from trainables.credentials import without_credentials
from trainables.errors import InputError
from trainables.measures.base import Direction

optuna.logging.set_verbosity(optuna.logging.WARNING)

FIRST_TRIAL = "first_trial"
"""The user attribute with the name of a first trial; other trials do not have it."""
METRICS = "metrics"
"""The user attribute with the last metrics of a trial."""

INHERITED = "inherited"
"""The user attribute of a trial that another study trained: its number there, and that study's name."""
REVIVED = "revived"
"""The user attribute of a trial that goes on where another one was stopped early: the number of that one."""

OF_A_TRIAL = re.compile(rb'\{"op_code": ?[5-9],')
"""How a journal's records begin that say something of a trial (Optuna's `JournalOperation`)."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""How URLs of databases begin, which MLflow takes instead of a server's URL."""

LONGEST_LOCK = 90.0
"""Seconds for which a locked SQLite file is waited for."""


def open_storage(where: str | Path) -> BaseStorage:
    """Optuna's storage: a journal file, or a database by URL."""
    if is_database(where):
        return optuna.storages.RDBStorage(with_driver(str(where)))
    return JournalStorage(Journal(str(where)))


def with_driver(url: str) -> str:
    """The URL with the PostgreSQL driver that this project installs: SQLAlchemy's own choice changed with 2.1."""
    return re.sub("^(postgresql|postgres)://", "postgresql+psycopg2://", url)


def connect(url: str) -> None:
    """Connect to a database and disconnect; raises at once if it does not answer. MLflow would take minutes.

    A SQLite file that another program keeps locked is waited for, `LONGEST_LOCK` seconds at most.
    """
    is_file = url.startswith("sqlite")
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": LONGEST_LOCK} if is_file else {})
    try:
        with engine.connect() as connection:
            if is_file:  # which is not read before it is asked for something
                connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1")
    finally:
        engine.dispose()


def is_database(where: str | Path) -> bool:
    """Whether `where` is the URL of a database."""
    return "://" in str(where)


def find_study(where: str, name: str, must_exist: bool) -> tuple[BaseStorage, bool]:
    """Optuna's storage, and whether it holds a study of this name.

    Raises `InputError` where it does not answer, where it lacks a study that must exist, and where it holds trials
    of one that must not. The end of a torn journal is mended, so call this only as the study's driver.
    """
    shown = without_credentials(where)
    if not is_database(where):
        mend(Path(where), may_lose=_says_something_of_a_trial)
    try:
        if is_database(where):
            connect(with_driver(where))
        storage = open_storage(where)
        is_there = name in optuna.get_all_study_names(storage)
        is_begun = is_there and num_started(optuna.load_study(study_name=name, storage=storage)) > 0
    except Exception as error:
        raise InputError(
            f"Optuna's storage {shown} does not answer ({first_line(error)}): check --optuna-storage."
        ) from error
    if must_exist and not is_there:
        raise InputError(
            f"Optuna's storage {shown} does not hold study {name!r}: "
            "name the --optuna-storage that it was started with."
        )
    if is_begun and not must_exist:
        raise InputError(f"Optuna's storage holds a study {name!r} already: choose another --name.")
    return storage, is_there


def load(where: str, name: str) -> optuna.Study:
    """A study that another one reads; raises `InputError` where the storage does not hold it."""
    try:
        return optuna.load_study(study_name=name, storage=open_storage(where))
    except (KeyError, OSError) as error:
        raise InputError(
            f"the trials of study {name!r} are not in {without_credentials(where)}: "
            "name the --optuna-storage that it was started with."
        ) from error


def _says_something_of_a_trial(piece: bytes) -> bool:
    """Whether a damaged record of a journal was a parameter, a value, a state or an attribute of a trial.

    A trial without its end goes on from its checkpoint. Without the record of a trial's creation, all records after it
    would mean other trials.
    """
    return OF_A_TRIAL.match(piece) is not None


def create_study(
    name: str,
    storage: BaseStorage,
    directions: Sequence[Direction],
    first_trials: Iterable[FirstTrial],
    inherited: Sequence[FrozenTrial] = (),
) -> optuna.Study:
    """A new Optuna study with the trials that others trained, and with its first trials enqueued."""
    study = optuna.create_study(study_name=name, storage=storage, directions=list(directions))
    study.add_trials(inherited)
    for first in first_trials:
        study.enqueue_trial(dict(first.params), user_attrs={FIRST_TRIAL: first.name})
    settle(study)
    return study


def trained(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """The trials of this study itself, by default in whatever state they are; none that another study trained."""
    found = study.get_trials(deepcopy=False, states=states or None)
    return [trial for trial in found if INHERITED not in trial.user_attrs]


def num_inherited(study: optuna.Study) -> int:
    """How many trials other studies trained."""
    return len(study.get_trials(deepcopy=False)) - len(trained(study))


def num_started(study: optuna.Study) -> int:
    """How many trials have been asked for, in whatever state they are; one that is revived counts once."""
    return sum(t.state != TrialState.WAITING and REVIVED not in t.user_attrs for t in trained(study))


def waits_revived(study: optuna.Study) -> bool:
    """Whether a trial that is to be revived has not been asked for yet."""
    return any(REVIVED in trial.user_attrs for trial in trained(study, TrialState.WAITING))


def numbered(study: optuna.Study, number: int) -> FrozenTrial:
    """The trial of this number, without going through all the others."""
    storage = study._storage
    return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def ask(study: optuna.Study, sampler: str, seed: int, num_trials: int = 0, started: int | None = None) -> optuna.Trial:
    """The next trial of a study of `num_trials`; who has counted those that have been `started` saves counting here."""
    study.sampler = make_sampler(sampler, seed, num_started(study) if started is None else started, num_trials)
    return study.ask()


def reopen(study: optuna.Study, sampler: str, seed: int, num_trials: int) -> list[optuna.Trial]:
    """The trials that an earlier driver asked for and did not finish, by number.

    A trial that was lost before all its parameters were suggested gets the same parameters as without the loss.
    """
    trials = []
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.sampler = make_sampler(sampler, seed, frozen.number, num_trials)
        trials.append(optuna.Trial(study, frozen._trial_id))
    return trials


def broken_by(trial: FrozenTrial) -> list[str]:
    """The constraints that a trial that has ended does not keep."""
    return [text for text, violation in trial.constraints.items() if violation > 0]


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether a trial that has ended keeps all constraints."""
    return not broken_by(trial)


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Feasible trials of the study that used their whole budget, the best first by the first objective."""
    return best_first(study, trained(study, TrialState.COMPLETE))


def best_inherited(study: optuna.Study) -> FrozenTrial | None:
    """The trial of another study that is better than all of this one's own, by the first objective."""
    best = best_first(study, study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))[:1]
    return best[0] if best and INHERITED in best[0].user_attrs else None


def best_first(study: optuna.Study, ended: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Those of some trials with values that are feasible, the best first by the first objective."""
    feasible = [trial for trial in ended if is_feasible(trial)]
    reverse = study.directions[0] == optuna.study.StudyDirection.MAXIMIZE
    return sorted(feasible, key=lambda trial: trial.values[0], reverse=reverse)
