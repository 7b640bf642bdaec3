"""A tracking server that goes away delays what is known of a study, and loses none of it."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from tests.systems.driver import Driver
from tests.systems.mlflow_server import MlflowServer
from tests.systems.outcome import Outcome, check_complete
from tests.systems.storage import hold, of_tiny, release
from tests.systems.until import until

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path):
    server = MlflowServer(tmp_path / "server")
    server.start()
    yield server
    server.stop()


def ended(server, trial):
    """Whether the server knows that a trial has ended."""
    client = MlflowClient(server.uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return client.search_runs(experiments, f"tags.trial = '{trial}' and attributes.status = 'FINISHED'")


def test_a_server_that_is_away_for_a_while_and_then_for_good_misses_nothing_and_ends_nothing(storage, server, launch):
    study = (*of_tiny(), "--max-concurrent", "1", "--scheduler", "none", "--trials", "6", "--name", "s")
    hold(storage, trial=2)
    driver = Driver(storage, *study, "--tracking-uri", server.uri)
    driver.start()
    driver.until_shown("[  2/6]")
    server.stop()
    hold(storage, trial=4)
    driver.until_shown("[  4/6]")
    server.start()
    until(lambda: ended(server, "0003"), every=0.5)

    server.stop()
    release(storage)
    assert driver.wait() == 0, driver.screen()
    assert "6 finished" in driver.screen()
    assert "did not reach" in driver.screen()
    assert "delivered when the study is resumed" in driver.screen()

    server.start()
    shown = launch(storage, "--resume", "s", "--tracking-uri", server.uri)
    assert "did not reach" not in shown
    outcome = Outcome.of(storage, "s", server.uri)
    check_complete(outcome, 6, [2, 4])
    for trial in ("0002", "0005"):
        pictures = MlflowClient(server.uri).list_artifacts(outcome.runs[trial][0].info.run_id, "pictures")
        assert len(pictures) == 3
