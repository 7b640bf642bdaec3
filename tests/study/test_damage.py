"""The damage that the soak test does is damage, and each kind is got over by the part that reads the file."""

from __future__ import annotations

import random
import sqlite3

import pytest
import torch

from study.optuna_storage import find_study
from study.records import mend
from tests.integration.damage import damage, lock, tear_file, tear_record
from trainables.checkpoints import CheckpointFolder


@pytest.mark.filterwarnings("ignore:.*(torn record|is damaged)")
def test_every_kind_of_damage_is_got_over(tmp_path):
    chance = random.Random(0)
    journal = tmp_path / "studies" / "s" / "optuna.journal"
    journal.parent.mkdir(parents=True)
    whole = b'{"op_code": 0}\n{"op_code": 4, "name": "x"}\n'
    checkpoints = CheckpointFolder(tmp_path / "studies" / "s" / "trials" / "0000" / "checkpoints")
    for _ in range(20):
        journal.write_bytes(whole)
        damage(tmp_path, "s", "journal", chance)
        assert journal.read_bytes() != whole
        mend(journal)
        assert journal.read_bytes() == whole
        for number in (1, 2):
            checkpoints.save({"x": torch.tensor(number)}, number)
        damage(tmp_path, "s", "checkpoint", chance)
        assert checkpoints.load_newest() == {"x": torch.tensor(1)}
    damage(tmp_path, "s", "spool", chance)  # there is none


def test_a_locked_database_is_locked_for_a_while(tmp_path):
    path = tmp_path / "x.db"
    sqlite3.connect(path).execute("CREATE TABLE t (x)")
    thread = lock(path, 0.5)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite3.connect(path, timeout=0).execute("INSERT INTO t VALUES (1)")
    thread.join()
    sqlite3.connect(path, timeout=0).execute("INSERT INTO t VALUES (1)")


def test_a_locked_file_of_optuna_is_waited_for(tmp_path):
    """SQLite's own patience ends after five seconds."""
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    find_study(url, "s", must_exist=False)
    thread = lock(tmp_path / "optuna.db", 6.0)
    _, is_there = find_study(url, "s", must_exist=False)
    assert not is_there
    thread.join()


def test_files_that_are_torn_are_changed(tmp_path):
    path = tmp_path / "x"
    for tear in (tear_file, tear_record):
        for seed in range(20):
            path.write_bytes(b'{"a": 1}\n{"b": 2}\n')
            tear(path, random.Random(seed))
            assert path.read_bytes() != b'{"a": 1}\n{"b": 2}\n'
