"""A study on several nodes: they are checked first, one is killed, another joins, and nothing is lost or doubled."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

import trainables
from study.optuna_storage import open_storage
from study.searcher import LOST, LOST_AT

sys.path.insert(0, str(Path(__file__).parent))
from namespace import Cluster, reason_to_skip
from soak import Driver, Outcome, check_complete, command_line, descendants

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

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
    """How many trials node `number` trains; none between two rounds, when a trial waits for the driver."""
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
    driver = driver_on(cluster, tmp_path, "--space", "gradnorm", "--scheduler", "none", "--name", "s", "--trials", "4")
    driver.start()
    assert driver.wait_until(lambda: is_underway(tmp_path, "s")), driver.screen()
    assert driver.wait_until(lambda: training(cluster, 0) == training(cluster, 1) == 1), driver.screen()
    cluster.kill(1)
    cluster.add(cpus=1)
    assert driver.wait_until(lambda: training(cluster, 2) == 1), driver.screen()
    assert driver.wait() == 0, driver.screen()
    assert "lost" in driver.screen()
    assert "[  4/4]" in driver.screen()
    outcome = Outcome.of(tmp_path, "s")
    # Each step once, and in order: the trial that was lost went on from its checkpoint.
    check_complete(outcome, 4, [46 * n for n in range(1, 8)])
    (lost,) = [trial for trial in outcome.trials if LOST in trial.user_attrs]
    assert lost.user_attrs[LOST_AT] >= 46


def elsewhere(mounts):
    """Runs a command on a machine whose file systems differ by the shell's `mounts`."""
    return ("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh")


def test_every_node_is_checked_before_anything_is_made(cluster, tmp_path):
    storage, other_code = tmp_path / "outputs", tmp_path / "trainables"
    storage.mkdir()
    shutil.copytree(Path(trainables.__file__).parent, other_code)
    (other_code / "losses.py").write_text("# another version\n")
    check = ("--space", "gradnorm", "--scale", "smoke", "--name", "s")
    cluster.add(cpus=2)
    cluster.add(cpus=1, gpus=2)
    driver = driver_on(cluster, storage, *check, "--check", "--gpus-per-trial", "0.4")
    driver.start()
    assert driver.wait() == 0, driver.screen()
    assert "node 10.77.0.1 (2 CPUs, 0 GPUs): in order, fits 0 trials" in driver.screen()
    assert "node 10.77.0.2 (1 CPUs, 2 GPUs): in order, fits 1 trials" in driver.screen()

    cluster.add(cpus=1, prefix=elsewhere(f"mount -t tmpfs none {storage}"))
    cluster.add(cpus=1, prefix=elsewhere(f"mount --bind {storage} {storage} && mount -o remount,ro,bind {storage}"))
    cluster.add(cpus=1, prefix=elsewhere(f"mount --bind {other_code} {Path(trainables.__file__).parent}"))
    failures = {
        "10.77.0.3": "does not see what the driver writes to",
        "10.77.0.4": "cannot write to",
        "10.77.0.5": "runs other code than the driver",
    }
    driver = driver_on(cluster, storage, *check, "--check")
    driver.start()
    assert driver.wait() == 2, driver.screen()
    lines = driver.screen().splitlines()
    for address, failure in failures.items():
        assert any(line.startswith(f"node {address} (") and failure in line for line in lines), driver.screen()
    assert lines[-1].startswith("error: node 10.77.0.")
    assert lines[-1].endswith("(2 more of 5 nodes fail: --check shows them)")

    driver = driver_on(cluster, storage, *check)
    driver.start()
    assert driver.wait() == 2, driver.screen()
    assert driver.screen().splitlines()[-1].startswith("error: node 10.77.0.")
    assert "Traceback" not in driver.screen()
    assert sorted(path.name for path in storage.iterdir() if not path.name.startswith("driver-")) == [
        "cache",
        "mlflow.db",
    ]


def test_a_driver_with_another_token_is_refused(cluster, tmp_path):
    cluster.add(cpus=1)
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("0" * 64)
    driver = driver_on(cluster, tmp_path, "--space", "gradnorm", "--scale", "smoke", "--check")
    driver.environment = driver.environment | {"RAY_AUTH_TOKEN_PATH": str(token)}
    driver.start()
    assert driver.wait() == 2, driver.screen()
    assert "RAY_AUTH_TOKEN_PATH" in driver.screen().splitlines()[-1]


def test_trials_are_spread_over_the_nodes_or_packed_on_few(cluster, tmp_path):
    cluster.add(cpus=2)
    cluster.add(cpus=2)
    assert nodes_used(cluster, tmp_path, "spread") == {0, 1}
    assert len(nodes_used(cluster, tmp_path, "pack")) == 1


def nodes_used(cluster, storage, placement):
    """The nodes on which a study of two trials at once trains."""
    options = ("--max-concurrent", "2", "--placement", placement, "--name", placement, "--trials", "6")
    driver = driver_on(cluster, storage, *STUDY, *options)
    driver.start()
    used = set()

    def all_are_done():
        used.update(number for number in (0, 1) if training(cluster, number))
        return "[  6/6]" in driver.screen()

    assert driver.wait_until(all_are_done), driver.screen()
    assert driver.wait() == 0, driver.screen()
    return used
