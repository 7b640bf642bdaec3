"""What a node finds out about itself; that the nodes of a real cluster are asked is in tests/integration."""

from __future__ import annotations

import platform
import shutil
import socket
from importlib.metadata import version

import pytest

from study.config import StudyConfig
from study.nodes.preflight import COMPARED, servers
from study.nodes.probe import code_digest, probe, server_failure, storage_failure, versions
from study.plan import StudyPlan
from trainables.protocol import Protocol


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / ".preflight"
    folder.mkdir()
    (folder / "driver").write_text(folder.name)
    return folder


def task_for(folder, cache_dir, **changes):
    task = {"folder": str(folder), "cache_dir": str(cache_dir), "protocols": [], "servers": []}
    return task | {"versions": versions(COMPARED), "code": code_digest()} | changes


def test_a_node_in_order(folder, cache_dir):
    assert probe("n1", task_for(folder, cache_dir)) is None
    assert (folder / "n1").read_text() == folder.name


def test_a_node_with_another_version(folder, cache_dir):
    failure = probe("n1", task_for(folder, cache_dir, versions={"python": platform.python_version(), "ray": "1.0"}))
    assert failure == f"has ray {version('ray')}, the driver 1.0: install the same version there."


def test_a_node_without_a_package(folder, cache_dir):
    failure = probe("n1", task_for(folder, cache_dir, versions={"no-such-package": "1.0"}))
    assert failure.startswith("has no-such-package None, the driver 1.0")


def test_a_node_with_other_code(folder, cache_dir):
    assert probe("n1", task_for(folder, cache_dir, code="0" * 64)).startswith("runs other code than the driver, from /")


def test_a_storage_folder_that_the_node_does_not_have(folder):
    shutil.rmtree(folder)
    assert "does not see what the driver writes" in storage_failure(folder, "n1")


def test_a_storage_folder_that_holds_something_else(folder):
    (folder / "driver").write_text("another driver's")
    assert "reads something else than the driver writes" in storage_failure(folder, "n1")


def test_a_storage_folder_that_cannot_be_written(folder):
    (folder / "n1").mkdir()
    assert "cannot write to" in storage_failure(folder, "n1")


def test_a_server_that_is_not_there():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        failure = server_failure([("--tracking-uri", "127.0.0.1", port)])
        assert f"does not reach 127.0.0.1:{port}" in failure
        assert "--tracking-uri" in failure
        bound.listen()
        assert server_failure([("--tracking-uri", "127.0.0.1", port)]) is None


def test_data_that_the_node_does_not_see(folder, cache_dir, tmp_path):
    protocol = Protocol(dataset="digits", extractor_sha256="0" * 64, num_samples=10).model_dump_json()
    failure = probe("n1", task_for(folder, tmp_path / "elsewhere", protocols=[protocol]))
    assert failure.startswith("cannot open what was prepared in")
    assert "digits" in failure


def test_servers_are_named_without_credentials(tmp_path):
    config = StudyConfig(
        space="gradnorm",
        storage_dir=tmp_path,
        tracking_uri="https://user:secret@tracking.example/path",
        optuna_storage="postgresql+psycopg2://user:secret@db.example/optuna",
    )
    assert servers(StudyPlan.of(config)) == [
        ("--tracking-uri", "tracking.example", 443),
        ("--optuna-storage", "db.example", 5432),
    ]


def test_files_are_no_servers(tmp_path):
    files = {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db", "optuna_storage": f"sqlite:///{tmp_path}/optuna.db"}
    assert servers(StudyPlan.of(StudyConfig(space="gradnorm", storage_dir=tmp_path, **files))) == []
