"""What has to be in order before a study runs: its data, its folder, its lock, Optuna's storage and the study in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage

from study.console import Console
from study.optuna_storage import is_database, open_storage
from study.plan import StudyPlan
from study.searcher import create_study, num_started
from study.sentences import first_line, without_credentials
from trainables.checkpoints import write_atomically
from trainables.errors import InputError
from trainables.preparation import Preparations, check_method, prepare_protocol

LOCK_SECONDS = 180.0
"""How long a driver on a cluster waits for an earlier one, which may still be ending on another node; where that node
was lost, its file system has to notice first."""
LOCK_POLL_SECONDS = 1.0


def check_storage(plan: StudyPlan) -> None:
    """Raise `InputError` where a new study would overwrite another, or where it could not be written."""
    if plan.folder.exists() and plan.config.resume is None:
        raise InputError(
            f"study {plan.name!r} exists already in {plan.folder}: "
            f"go on with it by --resume {plan.name}, or choose another --name."
        )
    probe = plan.storage / f".probe-{os.getpid()}"
    try:
        plan.storage.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(4096))
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"cannot write to the storage folder {plan.storage} ({error.strerror}): choose another --storage-dir."
        ) from error
    if is_database(plan.optuna_storage):
        _reach(plan)


def prepare(plan: StudyPlan, console: Console) -> Preparations:
    """Everything that trials read, in the cache folder; raises `InputError` where something cannot be had."""
    with console.status(f"preparing {' and '.join(plan.datasets)}"):
        for dataset, settings in plan.first_configs():
            check_method(plan.space.method, settings, dataset, plan.cache_dir)
        samples, named = plan.space.scale.num_samples, bool(plan.config.ood_sets)
        return {
            name: prepare_protocol(name, plan.ood_sets, samples, plan.cache_dir, plan.extractor, named)
            for name in plan.datasets
        }


@contextmanager
def only_driver(plan: StudyPlan, console: Console) -> Iterator[None]:
    """Hold the study's lock; the system releases it when the process ends, however it ends."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(plan.folder / "driver.lock", timeout=0, poll_interval=LOCK_POLL_SECONDS)
    with suppress(Timeout):
        lock.acquire()
    if not lock.is_locked and plan.config.address:
        waiting = f"waiting for another process that runs study {plan.name}, {LOCK_SECONDS:g} s at most"
        with suppress(Timeout), console.status(waiting):
            lock.acquire(timeout=LOCK_SECONDS)
    if not lock.is_locked:
        raise InputError(f"study {plan.name!r} is being run by another process: wait for it, or stop it.")
    try:
        yield
    finally:
        lock.release()


def open_study(plan: StudyPlan) -> optuna.Study:
    """Optuna's study, made if the study is new; `study.json` is written last, and says that there is one."""
    storage, is_there = _reach(plan)
    if plan.is_resumed:
        study = optuna.load_study(study_name=plan.name, storage=storage)
    else:
        if is_there:  # an earlier driver may not have got as far as enqueuing all first trials
            optuna.delete_study(study_name=plan.name, storage=storage)
        study = create_study(plan.name, storage, plan.space, plan.objectives)
    write_atomically(plan.folder / "study.json", json.dumps(plan.study_json(), indent=2).encode())
    return study


def _reach(plan: StudyPlan) -> tuple[BaseStorage, bool]:
    """Optuna's storage and whether the study is in it; it has to be if it is resumed, and must not otherwise."""
    try:
        storage = open_storage(plan.optuna_storage)
        is_there = plan.name in optuna.get_all_study_names(storage)
        is_begun = is_there and num_started(optuna.load_study(study_name=plan.name, storage=storage)) > 0
    except Exception as error:
        raise InputError(
            f"Optuna's storage {without_credentials(plan.optuna_storage)} does not answer ({first_line(error)}): "
            "check --optuna-storage."
        ) from error
    if plan.is_resumed and not is_there:
        raise InputError(
            f"Optuna's storage {without_credentials(plan.optuna_storage)} does not hold study {plan.name!r}: "
            "name the --optuna-storage that it was started with."
        )
    if is_begun and not plan.is_resumed:
        raise InputError(f"Optuna's storage holds a study {plan.name!r} already: choose another --name.")
    return storage, is_there
