"""One driver a study: at once on one machine, with patience on a cluster, where the other may be ending elsewhere."""

from __future__ import annotations

import threading
import time

import pytest
from filelock import FileLock

from study.config import StudyConfig
from study.console import Console
from study.opening import only_driver
from study.plan import StudyPlan
from trainables.errors import InputError


def plan(tmp_path, **settings):
    made = StudyPlan.of(StudyConfig(space="gradnorm", scale="smoke", name="s", storage_dir=tmp_path, **settings))
    made.folder.mkdir(parents=True)
    return made


def drive(study):
    with only_driver(study, Console()):
        pass


def test_on_one_machine_a_second_driver_is_refused_at_once(tmp_path):
    study = plan(tmp_path)
    started = time.monotonic()
    with FileLock(study.folder / "driver.lock"), pytest.raises(InputError, match="is being run by another process"):
        drive(study)
    assert time.monotonic() - started < 1


def test_on_a_cluster_it_waits_for_the_first_to_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("study.opening.LOCK_POLL_SECONDS", 0.01)
    study = plan(tmp_path, address="auto")
    earlier = FileLock(study.folder / "driver.lock", thread_local=False)
    earlier.acquire()
    started = time.monotonic()
    threading.Timer(0.5, earlier.release).start()
    drive(study)
    assert time.monotonic() - started >= 0.5
    assert "waiting for another process that runs study s, 180 s at most" in capsys.readouterr().out


def test_the_lock_is_free_again_after_a_study(tmp_path):
    study = plan(tmp_path)
    drive(study)
    with FileLock(study.folder / "driver.lock", timeout=0):
        pass


def test_on_a_cluster_it_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("study.opening.LOCK_SECONDS", 0.1)
    study = plan(tmp_path, address="auto")
    with FileLock(study.folder / "driver.lock"), pytest.raises(InputError, match="is being run by another process"):
        drive(study)
