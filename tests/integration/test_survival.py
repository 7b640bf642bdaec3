"""Nothing is lost or doubled, however a driver ends."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow import MlflowClient
from optuna.trial import TrialState

from tests.integration.soak import kill_repeatedly
from tests.systems.driver import Driver
from tests.systems.outcome import Outcome, check_complete, check_equal
from tests.systems.storage import hold, of_tiny, release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STUDY = (*of_tiny(), "--max-concurrent", "1")
STEPS = [2, 4]


@pytest.fixture(scope="module")
def storage(new_storage):
    return new_storage()


@pytest.fixture
def uninterrupted(storage, launch):
    if not (storage / "studies/uninterrupted").exists():
        launch(storage, *STUDY, "--trials", "6", "--name", "uninterrupted")
    outcome = Outcome.of(storage, "uninterrupted")
    check_complete(outcome, 6, STEPS)
    return outcome


def forget_the_end(storage, outcome, trial):
    """Make MLflow as it is when a driver is killed after Optuna knows the end of a trial, and before MLflow does."""
    run = outcome.runs[trial][0]
    MlflowClient(f"sqlite:///{storage}/mlflow.db").update_run(run.info.run_id, "RUNNING")
    shutil.rmtree(pictures_of(run))


def pictures_of(run):
    """The folder of a trial's pictures in MLflow."""
    return Path(run.info.artifact_uri.removeprefix("file://")) / "pictures"


def test_a_study_that_is_killed_stopped_and_extended_ends_as_if_it_had_not_been(new_storage, uninterrupted, launch):
    """The kills are the short form of `make soak`; batch systems go on with `--resume auto`, people with a name."""
    storage = new_storage()
    hold(storage, trial=1, rounds=2)
    kill_repeatedly(storage, "ended", (*STUDY, "--trials", "4"), kills=1, pause=3.0)

    hold(storage, trial=2, rounds=2)
    driver = Driver(storage, *STUDY, "--trials", "4", "--name", "ended", "--resume", "auto")
    driver.start()
    driver.until_shown("[  2/4]")
    driver.process.send_signal(signal.SIGUSR1)
    hold(storage, trial=3)  # else trial 2 would be waited for in vain
    assert driver.wait(seconds=60) == 128 + signal.SIGUSR1
    assert "Stopped by SIGUSR1" in driver.screen()
    assert "--resume ended" in driver.screen()
    assert Outcome.of(storage, "ended").status() == "KILLED"
    release(storage)
    forget_the_end(storage, Outcome.of(storage, "ended"), "0001")

    launch(storage, "--resume", "ended", "--max-concurrent", "1", "--trials", "6")
    extended = Outcome.of(storage, "ended")
    check_complete(extended, 6, STEPS)
    check_equal(extended, uninterrupted)
    assert len(list(pictures_of(extended.runs["0001"][0]).iterdir())) == 3

    screen = launch(storage, "--resume", "ended")
    assert "] trial" not in screen  # it is shown, not run
    assert "best, then the first trials" in screen
    check_equal(Outcome.of(storage, "ended"), uninterrupted)


def test_a_second_driver_is_refused(storage, uninterrupted, launch):
    with FileLock(storage / "studies/uninterrupted/driver.lock"):
        sentence = launch(storage, "--resume", "uninterrupted", status=2)
    assert "study 'uninterrupted' is being run by another process" in sentence


def test_a_resume_that_asks_for_another_study_is_refused(storage, uninterrupted, launch):
    sentence = launch(storage, "--resume", "uninterrupted", "--space", "ablation", status=2)
    assert "was started with --space" in sentence
    assert "it cannot go on with --space ablation" in sentence


def test_the_best_settings_are_confirmed_with_new_seeds(storage, uninterrupted, launch):
    confirm = ("--confirm", "uninterrupted", "--top", "2", "--seeds", "2", "--max-concurrent", "1")
    launch(storage, *confirm, "--name", "confirmed")
    outcome = Outcome.of(storage, "confirmed")
    check_complete(outcome, 2, STEPS)
    finished = [trial for trial in uninterrupted.trials if trial.state == TrialState.COMPLETE]
    best = sorted(finished, key=lambda trial: trial.value)[:2]
    assert [trial.params["confirmed_trial"] for trial in outcome.trials] == [trial.number for trial in best]
    for trial, original in zip(outcome.trials, best, strict=True):
        run = outcome.runs[f"{trial.number:04d}"][0]
        assert float(run.data.params["image_lr"]) == original.params["image_lr"]
        metrics = outcome.metrics[f"{trial.number:04d}"]
        assert metrics["fid_lenet_std"] > 0
        assert metrics["inner_updates"] > original.user_attrs["metrics"]["inner_updates"]
