"""Optuna and MLflow in PostgreSQL, by URL with a password in it: nothing is lost, and the password is nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from study.optuna_storage import with_driver

sys.path.insert(0, str(Path(__file__).parent))
from postgresql import Server, reason_to_skip
from soak import Driver, Outcome, check_complete, descendants

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip())),
]

PASSWORD = "pa55-word-0f-the-test"
STUDY = ("--space", "gradnorm", "--scale", "smoke", "--scheduler", "none", "--max-concurrent", "1")


@pytest.fixture(scope="module")
def server():
    server = Server(PASSWORD)
    yield server
    server.stop()


def connected(pids, port):
    """Those of the processes that have a connection to the port."""
    shown = subprocess.run(["ss", "-Htnp", f"dport = :{port}"], capture_output=True, text=True, check=True).stdout
    return {pid for pid in pids if f"pid={pid}," in shown}


def files_with(folder, text):
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_study_is_killed_and_goes_on_in_postgresql(server, tmp_path):
    optuna_url, mlflow_url = server.create("optuna"), server.create("mlflow")
    databases = ("--optuna-storage", optuna_url, "--tracking-uri", mlflow_url)
    driver = Driver(tmp_path, (*STUDY, "--name", "s", "--trials", "4", *databases))
    driver.start()
    assert driver.wait_until(lambda: "[  2/4]" in driver.screen()), driver.screen()
    processes = [driver.process.pid, *descendants(driver.process.pid)]
    assert len(processes) > 3
    assert connected(processes, server.port) == {driver.process.pid}, "the driver is the only writer"
    driver.kill()

    secret = server.folder / "pgpass"  # as ~/.pgpass: the command line has no password in it
    secret.touch(mode=0o600)
    secret.write_text(f"127.0.0.1:{server.port}:*:study:{PASSWORD}\n")
    arguments = ["--resume", "s", "--max-concurrent", "1", *(url.replace(f":{PASSWORD}", "") for url in databases)]
    resumed = Driver(tmp_path, tuple(arguments), environment={"PGPASSFILE": str(secret)})
    resumed.start()
    assert resumed.wait() == 0, resumed.screen()
    outcome = Outcome.of(tmp_path, "s", with_driver(mlflow_url), optuna_url)
    check_complete(outcome, 4, [2, 4])
    assert not (tmp_path / "studies/s/optuna.journal").exists()
    assert not (tmp_path / "mlflow.db").exists()
    assert files_with(tmp_path, PASSWORD) == []
    for (run,) in outcome.runs.values():
        assert run.info.artifact_uri.startswith(f"file://{tmp_path}/mlartifacts/")
        assert PASSWORD not in str(run.to_dictionary())


def test_a_wrong_password_is_one_sentence_that_does_not_repeat_it(server, tmp_path):
    wrong = server.url("optuna").replace(PASSWORD, "an0ther-0ne")
    for option in ("--optuna-storage", "--tracking-uri"):
        driver = Driver(tmp_path, (*STUDY, "--name", "refused", option, wrong))
        driver.start()
        assert driver.wait() == 2, driver.screen()
        assert "password authentication failed" in driver.screen()
        assert option in driver.screen()
        assert "an0ther-0ne" not in driver.screen()
        assert "Traceback" not in driver.screen()
    assert not (tmp_path / "studies").exists()
