"""One driver a study: at once on one machine, with patience on a cluster, where the other may be ending elsewhere."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest
from filelock import FileLock

from study.console import Console
from study.folder import StudyFolder, check_writable
from trainables.errors import InputError


@pytest.fixture
def study(tmp_path):
    (tmp_path / "s").mkdir()
    return StudyFolder(tmp_path / "s")


def drive(study, patience=0.0):
    with study.only_driver(patience, Console().status):
        pass


def test_on_one_machine_a_second_driver_is_refused_at_once(study):
    started = time.monotonic()
    with FileLock(study.path / "driver.lock"), pytest.raises(InputError, match="is being run by another process"):
        drive(study)
    assert time.monotonic() - started < 1


def test_on_a_cluster_it_waits_for_the_first_to_end(study, monkeypatch, capsys):
    monkeypatch.setattr("study.folder.LOCK_POLL_SECONDS", 0.01)
    earlier = FileLock(study.path / "driver.lock", thread_local=False)
    earlier.acquire()
    started = time.monotonic()
    threading.Timer(0.5, earlier.release).start()
    drive(study, patience=180)
    assert time.monotonic() - started >= 0.5
    assert "waiting for another process that runs study s, 180 s at most" in capsys.readouterr().out


def test_the_lock_is_free_again_after_a_study(study):
    drive(study)
    with FileLock(study.path / "driver.lock", timeout=0):
        pass


def test_on_a_cluster_it_does_not_wait_for_ever(study):
    with FileLock(study.path / "driver.lock"), pytest.raises(InputError, match="is being run by another process"):
        drive(study, patience=0.1)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_flock_is_a_sentence(tmp_path, monkeypatch, code):
    def flock(file, operation):
        raise OSError(code, os.strerror(code))

    check_writable(tmp_path)
    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(InputError, match=r"the file system of .* has no locks \(.*choose a --storage-dir that has"):
        check_writable(tmp_path)
    assert not list(tmp_path.iterdir())
