"""A tracking server that goes away delays what is known of a study, and loses none of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

sys.path.insert(0, str(Path(__file__).parent))
from outage import Server
from soak import Driver, Outcome, check_complete

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STUDY = ("--space", "gradnorm", "--scale", "smoke", "--max-concurrent", "1", "--scheduler", "none")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


def test_a_server_that_is_away_for_a_while_misses_nothing(tmp_path, server):
    driver = Driver(tmp_path, (*STUDY, "--trials", "6", "--name", "away", "--tracking-uri", server.uri))
    driver.start()
    assert driver.wait_until(lambda: "[  2/6]" in driver.screen()), driver.screen()
    server.stop()
    assert driver.wait_until(lambda: "[  4/6]" in driver.screen()), driver.screen()
    with driver.paused():  # the server takes its time, and should be back before the study ends
        server.start()
    assert driver.wait() == 0, driver.screen()
    assert "did not reach" not in driver.screen()
    check_complete(Outcome.of(tmp_path, "away", server.uri), 6, [2, 4])


def test_a_server_that_stays_away_ends_nothing_and_gets_the_rest_at_the_resume(tmp_path, server):
    arguments = (*STUDY, "--trials", "3", "--name", "s", "--tracking-uri", server.uri)
    driver = Driver(tmp_path, arguments)
    driver.start()
    assert driver.wait_until(lambda: "[  1/3]" in driver.screen()), driver.screen()
    server.stop()
    assert driver.wait() == 0, driver.screen()
    assert "3 finished" in driver.screen()
    assert "did not reach" in driver.screen()
    assert "delivered when the study is resumed" in driver.screen()

    server.start()
    resumed = Driver(tmp_path, ("--resume", "s", "--tracking-uri", server.uri))
    resumed.start()
    assert resumed.wait() == 0, resumed.screen()
    outcome = Outcome.of(tmp_path, "s", server.uri)
    check_complete(outcome, 3, [2, 4])
    pictures = MlflowClient(server.uri).list_artifacts(outcome.runs["0002"][0].info.run_id, "pictures")
    assert len(pictures) == 3
