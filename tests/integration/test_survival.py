"""Nothing is lost or doubled, however a driver ends."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from optuna.trial import TrialState

from study.launch import main

sys.path.insert(0, str(Path(__file__).parent))
from soak import Driver, Outcome, check_complete, check_equal, run_with_kills

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STUDY = ("--space", "gradnorm", "--scale", "smoke", "--max-concurrent", "1")
STEPS = [2, 4]


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def uninterrupted(storage):
    driver = Driver(storage, (*STUDY, "--trials", "6", "--name", "uninterrupted"))
    driver.start()
    assert driver.wait() == 0, driver.screen()
    outcome = Outcome.of(storage, "uninterrupted")
    check_complete(outcome, 6, STEPS)
    return outcome


def test_a_study_whose_driver_and_workers_are_killed_ends_as_if_they_had_not_been(storage, uninterrupted):
    """The short form of `make soak`."""
    run_with_kills(storage, "killed", (*STUDY, "--trials", "6"), kills=4)
    outcome = Outcome.of(storage, "killed")
    check_complete(outcome, 6, STEPS)
    check_equal(outcome, uninterrupted)


def test_sigterm_stops_cleanly_and_the_study_goes_on(storage, uninterrupted):
    driver = Driver(storage, (*STUDY, "--trials", "6", "--name", "stopped"))
    driver.start()
    assert driver.wait_until(lambda: "[  2/6]" in driver.screen())

    driver.process.send_signal(signal.SIGTERM)
    assert driver.process.wait(30) == 128 + signal.SIGTERM
    assert "Stopped by SIGTERM" in driver.screen()
    assert "--resume stopped" in driver.screen()
    runs = Outcome.of(storage, "stopped").runs
    assert runs["parent"][0].info.status == "KILLED"

    resumed = Driver(storage, ("--resume", "stopped", "--max-concurrent", "1"))
    resumed.start()
    assert resumed.wait() == 0, resumed.screen()
    outcome = Outcome.of(storage, "stopped")
    check_complete(outcome, 6, STEPS)
    check_equal(outcome, uninterrupted)


def test_the_same_command_line_starts_the_study_goes_on_and_shows_it_again(storage, uninterrupted):
    """What batch systems do with `--resume auto`."""
    arguments = (*STUDY, "--trials", "6", "--name", "auto-resumed", "--resume", "auto")
    driver = Driver(storage, arguments)
    driver.start()
    assert driver.wait_until(lambda: "[  2/6]" in driver.screen())
    driver.process.send_signal(signal.SIGUSR1)
    assert driver.process.wait(30) == 128 + signal.SIGUSR1

    for shown in ("[  6/6]", "best, then the first trials"):
        driver = Driver(storage, arguments)
        driver.start()
        assert driver.wait() == 0, driver.screen()
        assert shown in driver.screen()
        outcome = Outcome.of(storage, "auto-resumed")
        check_complete(outcome, 6, STEPS)
        check_equal(outcome, uninterrupted)
    assert "] trial" not in driver.screen()


def test_a_second_driver_is_refused(storage, uninterrupted, capsys):
    with FileLock(storage / "studies/uninterrupted/driver.lock"):
        assert main(["--resume", "uninterrupted", "--storage-dir", str(storage)]) == 2
    assert "study 'uninterrupted' is being run by another process" in capsys.readouterr().err


def test_a_finished_study_is_extended(storage, uninterrupted):
    for trials in (2, 6):
        arguments = (*STUDY, "--name", "extended") if trials == 2 else ("--resume", "extended", "--max-concurrent", "1")
        driver = Driver(storage, (*arguments, "--trials", str(trials)))
        driver.start()
        assert driver.wait() == 0, driver.screen()
        check_complete(Outcome.of(storage, "extended"), trials, STEPS)
    check_equal(Outcome.of(storage, "extended"), uninterrupted)


def test_a_resume_that_asks_for_another_study_is_refused(storage, uninterrupted, capsys):
    assert main(["--resume", "uninterrupted", "--space", "ablation", "--storage-dir", str(storage)]) == 2
    sentence = capsys.readouterr().err
    assert "was started with --space gradnorm, it cannot go on with --space ablation" in sentence


def test_the_best_settings_are_confirmed_with_new_seeds(storage, uninterrupted):
    arguments = ("--confirm", "uninterrupted", "--top", "2", "--seeds", "2", "--name", "confirmed")
    driver = Driver(storage, arguments)
    driver.start()
    assert driver.wait() == 0, driver.screen()
    outcome = Outcome.of(storage, "confirmed")
    check_complete(outcome, 2, STEPS)
    finished = [trial for trial in uninterrupted.trials if trial.state == TrialState.COMPLETE]
    best = sorted(finished, key=lambda trial: trial.value)[:2]
    assert [trial.params["confirmed_trial"] for trial in outcome.trials] == [trial.number for trial in best]
    for trial, original in zip(outcome.trials, best, strict=True):
        run = outcome.runs[f"{trial.number:04d}"][0]
        assert float(run.data.params["image_lr"]) == original.params["image_lr"]
        assert run.data.metrics["fid_lenet_std"] > 0
        assert run.data.metrics["inner_updates"] > original.user_attrs["metrics"]["inner_updates"]
