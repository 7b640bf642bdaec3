"""Nothing is lost or doubled, however a driver ends."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow import MlflowClient
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


def forget_the_end(storage, outcome, trial):
    """MLflow as a driver leaves it that is killed when Optuna knows the end of a trial and MLflow does not yet."""
    run = outcome.runs[trial][0]
    MlflowClient(f"sqlite:///{storage}/mlflow.db").update_run(run.info.run_id, "RUNNING")
    shutil.rmtree(pictures_of(run))


def pictures_of(run):
    """The folder of a trial's pictures in MLflow."""
    return Path(run.info.artifact_uri.removeprefix("file://")) / "pictures"


def test_a_study_is_stopped_goes_on_is_extended_and_shown_again(storage, uninterrupted):
    """What batch systems do with `--resume auto`, and people with `--resume NAME`."""
    command = (*STUDY, "--trials", "4", "--name", "stopped", "--resume", "auto")
    for ended, by in (("[  1/4]", signal.SIGTERM), ("[  2/4]", signal.SIGUSR1)):
        driver = Driver(storage, command)
        driver.start()
        assert driver.wait_until(lambda shown=ended, on=driver: shown in on.screen()), driver.screen()
        driver.process.send_signal(by)
        assert driver.process.wait(30) == 128 + by
        assert f"Stopped by {by.name}" in driver.screen()
        assert "--resume stopped" in driver.screen()
        assert Outcome.of(storage, "stopped").runs["parent"][0].info.status == "KILLED"

    outcomes = []
    for arguments, trials in (
        (command, 4),
        (("--resume", "stopped", "--max-concurrent", "1", "--trials", "6"), 6),
        (("--resume", "stopped"), 6),
    ):
        driver = Driver(storage, arguments)
        driver.start()
        assert driver.wait() == 0, driver.screen()
        outcomes.append(Outcome.of(storage, "stopped"))
        check_complete(outcomes[-1], trials, STEPS)
        if arguments == command:
            forget_the_end(storage, outcomes[-1], "0001")
    assert "] trial" not in driver.screen()  # it is shown, not run
    assert "best, then the first trials" in driver.screen()
    assert len(list(pictures_of(outcomes[-1].runs["0001"][0]).iterdir())) == 3
    for outcome in outcomes[1:]:
        check_equal(outcome, uninterrupted)


def test_a_second_driver_is_refused(storage, uninterrupted, capsys):
    with FileLock(storage / "studies/uninterrupted/driver.lock"):
        assert main(["--resume", "uninterrupted", "--storage-dir", str(storage)]) == 2
    assert "study 'uninterrupted' is being run by another process" in capsys.readouterr().err


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
