"""Optuna and MLflow in PostgreSQL, by URL with a password in it: nothing is lost, and the password is nowhere."""

from __future__ import annotations

import subprocess

import pytest

from study.optuna_storage import with_driver
from tests.systems.driver import Driver
from tests.systems.outcome import Outcome, check_complete
from tests.systems.postgresql import PostgresServer, why_not
from tests.systems.storage import hold, of_tiny, release

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

PASSWORD = "pa55-word-0f-the-test"
STUDY = (*of_tiny(), "--scheduler", "none", "--max-concurrent", "1")


@pytest.fixture(scope="module")
def server():
    server = PostgresServer(PASSWORD)
    server.start()
    yield server
    server.stop()


def connected(pids, port):
    """The processes among `pids` that have a connection to the port."""
    shown = subprocess.run(["ss", "-Htnp", f"dport = :{port}"], capture_output=True, text=True, check=True).stdout
    return {pid for pid in pids if f"pid={pid}," in shown}


def files_with(folder, text):
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_study_is_killed_and_goes_on_in_postgresql(server, storage, launch, monkeypatch):
    (storage / "mlflow.db").unlink()
    optuna_url, mlflow_url = server.create("optuna"), server.create("mlflow")
    databases = ("--optuna-storage", optuna_url, "--tracking-uri", mlflow_url)
    hold(storage, trial=2)
    driver = Driver(storage, *STUDY, "--name", "s", "--trials", "4", *databases)
    driver.start()
    driver.until_shown("[  2/4]")
    processes = [driver.process.pid, *driver.below()]
    assert len(processes) > 3
    assert connected(processes, server.port) == {driver.process.pid}, "the driver is the only writer"
    driver.kill()
    release(storage)

    secret = server.folder / "pgpass"  # as ~/.pgpass: the command line has no password in it
    secret.touch(mode=0o600)
    secret.write_text(f"127.0.0.1:{server.port}:*:study:{PASSWORD}\n")
    monkeypatch.setenv("PGPASSFILE", str(secret))
    launch(storage, "--resume", "s", "--max-concurrent", "1", *(url.replace(f":{PASSWORD}", "") for url in databases))
    outcome = Outcome.of(storage, "s", with_driver(mlflow_url), optuna_url)
    check_complete(outcome, 4, [2, 4])
    assert not (storage / "studies/s/optuna.journal").exists()
    assert not (storage / "mlflow.db").exists()
    assert files_with(storage, PASSWORD) == []
    for (run,) in outcome.runs.values():
        assert run.info.artifact_uri.startswith(f"file://{storage}/mlartifacts/")
        assert PASSWORD not in str(run.to_dictionary())


@pytest.mark.parametrize("option", ["--optuna-storage", "--tracking-uri"])
def test_a_wrong_password_is_one_sentence_that_does_not_repeat_it(server, tmp_path, launch, option):
    wrong = server.url("postgres").replace(PASSWORD, "an0ther-0ne")
    sentence = launch(tmp_path, *STUDY, "--name", "refused", option, wrong, status=2)
    assert "password authentication failed" in sentence
    assert option in sentence
    assert "an0ther-0ne" not in sentence
    assert "Traceback" not in sentence
    assert not (tmp_path / "studies").exists()
