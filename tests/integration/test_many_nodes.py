"""A study on several nodes: they are checked first, one is killed, another joins, and nothing is lost or doubled."""

from __future__ import annotations

import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from study.searcher import LOST, LOST_AT
from study.storage import open_storage

sys.path.insert(0, str(Path(__file__).parent))
from namespace import Cluster, reason_to_skip
from soak import Driver, Outcome, check_complete, command_line, descendants

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STUDY = ("--space", "gradnorm", "--scale", "smoke", "--scheduler", "none")


@pytest.fixture
def cluster():
    if reason := reason_to_skip():
        pytest.skip(reason)
    cluster = Cluster()
    yield cluster
    cluster.close()


def driver_on(cluster, storage, *arguments):
    return Driver(storage, ("--address", cluster.address, *arguments), cluster.prefix, cluster.environment)


def training(cluster, number):
    """How many trials node `number` trains."""
    return sum(b"Trainable.train" in command_line(pid) for pid in descendants(cluster.nodes[number].pid))


def is_underway(storage, name):
    """Whether two trials run that have a checkpoint each."""
    journal = storage / f"studies/{name}/optuna.journal"
    if not journal.exists():
        return False
    trials = optuna.load_study(study_name=name, storage=open_storage(journal)).trials
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    return len(running) == 2 and all(trial.intermediate_values for trial in running)


def test_a_node_is_killed_and_another_joins(cluster, tmp_path):
    cluster.add(cpus=1)
    cluster.add(cpus=1)
    driver = driver_on(cluster, tmp_path, "--space", "gradnorm", "--scheduler", "none", "--name", "s", "--trials", "6")
    driver.start()
    assert driver.wait_until(lambda: is_underway(tmp_path, "s")), driver.screen()
    assert training(cluster, 0) == training(cluster, 1) == 1
    cluster.kill(1)
    cluster.add(cpus=1)
    assert driver.wait_until(lambda: training(cluster, 2) == 1), driver.screen()
    assert driver.wait() == 0, driver.screen()
    assert "lost" in driver.screen()
    assert "[  6/6]" in driver.screen()
    outcome = Outcome.of(tmp_path, "s")
    # Each step once, and in order: the trial that was lost went on from its checkpoint.
    check_complete(outcome, 6, [46 * n for n in range(1, 8)])
    (lost,) = [trial for trial in outcome.trials if LOST in trial.user_attrs]
    assert lost.user_attrs[LOST_AT] >= 46
