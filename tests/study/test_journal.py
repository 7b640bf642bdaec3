"""What is on the disk when. A power cut cannot be tried here; what was written and waited for is recorded instead."""

from __future__ import annotations

import os

import optuna
import pytest
from optuna.trial import TrialState

from search_spaces.gradnorm import GradNorm
from study.optuna_storage import create_study, open_storage
from tests.study.test_searcher import OBJECTIVE, finish, make_searcher


class Disk:
    """The size of the journal when it was last waited for."""

    def __init__(self, journal, monkeypatch):
        self.journal, self.waits, self.holds = journal, 0, 0
        fsync = os.fsync

        def recorded(file):
            fsync(file)
            if os.fstat(file).st_ino == journal.stat().st_ino:
                self.waits += 1
                self.holds = os.fstat(file).st_size

        monkeypatch.setattr(os, "fsync", recorded)

    def holds_all(self):
        return self.holds == self.journal.stat().st_size > 0


@pytest.fixture
def disk(tmp_path, monkeypatch):
    return Disk(tmp_path / "optuna.journal", monkeypatch)


@pytest.fixture
def study(disk):
    return create_study("s", open_storage(disk.journal), ("minimize",), GradNorm("smoke").first_trials())


def test_a_new_study_is_on_the_disk_with_its_first_trials(study, disk):
    assert disk.holds_all()


def test_a_trial_is_on_the_disk_before_it_starts_and_its_end_before_it_is_told(study, disk):
    searcher = make_searcher(study, GradNorm("smoke"))
    for number in range(12):
        searcher.suggest(f"t{number}")
        assert disk.holds_all()
        finish(searcher, f"t{number}", float(number))
        assert disk.holds_all()
    assert len(study.get_trials(states=(TrialState.COMPLETE,))) == 12


def test_a_report_is_on_the_disk_and_so_is_the_end_of_a_trial_that_failed(study, disk):
    searcher = make_searcher(study, GradNorm("smoke"))
    searcher.suggest("a")
    searcher.on_trial_result("a", {"round": 2, OBJECTIVE: 1.0})
    assert disk.holds_all()
    searcher.on_trial_complete("a", {"round": 4, OBJECTIVE: float("nan")})
    assert disk.holds_all()


def test_a_trial_waits_for_the_disk_four_times(study, disk):
    """When it was suggested, at two reports, and at its end; Optuna's own journal: at each of fifteen records."""
    searcher = make_searcher(study, GradNorm("smoke"))
    for number in range(12):
        searcher.suggest(f"t{number}")
        if number < 11:
            finish(searcher, f"t{number}", float(number))
    disk.waits = 0
    finish(searcher, "t11", 1.0)
    searcher.suggest("t12")
    assert disk.waits == 4


def test_another_process_reads_what_waits_for_the_disk(study, disk):
    trial = study.ask()
    trial.set_user_attr("said", 1)
    read = optuna.load_study(study_name="s", storage=open_storage(disk.journal))
    assert read.trials[trial.number].user_attrs["said"] == 1
