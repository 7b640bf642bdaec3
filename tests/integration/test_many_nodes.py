"""A study on several nodes: they are checked first, one is killed, another joins, and nothing is lost or doubled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import trainables
from study.searcher import LOST, LOST_AT
from tests.systems.namespace import Nodes, why_not
from tests.systems.outcome import Outcome, check_complete, trials_of
from tests.systems.storage import hold, of_tiny, release

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture(scope="module")
def nodes():
    """A cluster for all tests; its head has a CPU."""
    nodes = Nodes()
    nodes.add(cpus=1)
    yield nodes
    nodes.close()


def test_a_node_is_killed_and_another_joins(nodes, storage):
    first, second = nodes.raylets[0], nodes.add(cpus=1)
    driver = nodes.driver(storage, *of_tiny(), "--scheduler", "none", "--name", "s", "--trials", "4")
    hold(storage, trial=0, rounds=2)
    driver.start()
    driver.until(lambda: [list(trial.intermediate_values) for trial in trials_of(storage, "s")] == [[2], [2]])
    driver.until(lambda: first.training() == second.training() == 1)
    second.kill_all()
    third = nodes.add(cpus=2, gpus=2)
    driver.until(third.training)  # one or two trials: it has two CPUs
    release(storage)
    assert driver.wait() == 0, driver.screen()
    assert "lost" in driver.screen()
    assert "[  4/4]" in driver.screen()
    outcome = Outcome.of(storage, "s")
    # Each step once, and in order: the trial that was lost went on from its checkpoint.
    check_complete(outcome, 4, [2, 4])
    (lost,) = [trial for trial in outcome.trials if LOST in trial.user_attrs]
    assert lost.user_attrs[LOST_AT] == 2
    nodes.until_lost(second)  # for the tests that follow


@pytest.fixture
def two_nodes(nodes):
    """The two nodes that are left: one with a CPU, and one with two CPUs and two GPUs."""
    if not nodes.raylets[1:]:  # the test that kills a node has not been run
        nodes.add(cpus=2, gpus=2)
    return nodes.raylets[0], nodes.raylets[-1]


def test_trials_are_packed_on_few_nodes(nodes, two_nodes, storage):
    """The test that kills a node shows that trials are spread by default."""
    options = ("--max-concurrent", "2", "--placement", "pack", "--name", "packed", "--trials", "4")
    driver = nodes.driver(storage, *of_tiny(), "--scheduler", "none", *options)
    hold(storage, trial=0)
    driver.start()
    small, large = two_nodes
    driver.until(lambda: small.training() + large.training() == 2)
    assert (small.training(), large.training()) == (0, 2)
    release(storage)
    assert driver.wait() == 0, driver.screen()
    check_complete(Outcome.of(storage, "packed"), 4, [2, 4])


def test_a_driver_with_another_token_is_refused(nodes, storage, tmp_path):
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("0" * 64)
    screen = nodes.driver(storage, *of_tiny(), "--check", RAY_AUTH_TOKEN_PATH=str(token)).run(status=2)
    assert "RAY_AUTH_TOKEN_PATH" in screen.splitlines()[-1]


def elsewhere(mounts):
    """Runs a command on a machine whose file systems differ by the shell's `mounts`."""
    return ("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh")


def test_every_node_is_checked_before_anything_is_made(nodes, two_nodes, storage, tmp_path):
    small, large = two_nodes
    other_code = tmp_path / "trainables"
    before = {path.name for path in storage.iterdir()}
    shutil.copytree(Path(trainables.__file__).parent, other_code)
    (other_code / "losses.py").write_text("# another version\n")
    check = (*of_tiny(), "--name", "s")
    screen = nodes.driver(storage, *check, "--check").run()
    assert f"node {small.address} (1 CPUs, 0 GPUs): in order, fits 1 trials" in screen
    assert f"node {large.address} (2 CPUs, 2 GPUs): in order, fits 2 trials" in screen

    wrong = {
        "does not see what the driver writes to": f"mount -t tmpfs none {storage}",
        "cannot write to": f"mount --bind {storage} {storage} && mount -o remount,ro,bind {storage}",
        "runs other code than the driver": f"mount --bind {other_code} {Path(trainables.__file__).parent}",
    }
    failures = {nodes.add(cpus=1, prefix=elsewhere(mounts)).address: failure for failure, mounts in wrong.items()}
    gpus: tuple[str, ...] = ()
    if not torch.cuda.is_available():  # the large node only says that it has GPUs
        gpus = ("--gpus-per-trial", "0.4")
        failures[large.address] = "has GPUs, and torch finds no working CUDA here"
    screen = nodes.driver(storage, *check, "--check", *gpus).run(status=2)
    lines = screen.splitlines()
    assert f"node {small.address} (1 CPUs, 0 GPUs): in order, fits {0 if gpus else 1} trials" in lines
    for address, failure in failures.items():
        assert any(line.startswith(f"node {address} (") and failure in line for line in lines), screen
    assert lines[-1].startswith("error: node 10.77.0.")
    assert lines[-1].endswith(f"({len(failures) - 1} more of 5 nodes fail: --check shows them)")

    screen = nodes.driver(storage, *check).run(status=2)
    assert screen.splitlines()[-1].startswith("error: node 10.77.0.")
    assert "Traceback" not in screen
    assert {path.name for path in storage.iterdir() if not path.name.startswith("driver-")} == before
