"""What a node finds out about itself; that the nodes of a real cluster are asked is in tests/integration."""

from __future__ import annotations

import json
import platform
import shutil
import socket
import sys
from importlib.metadata import version

import pytest

from study.nodes.capacity import Node, Resources
from study.nodes.preflight import COMPARED, NodeCheck, lines, require_all, servers
from study.nodes.probe import code_digest, probe, server_failure, sources_digest, storage_failure, versions
from trainables.errors import InputError
from trainables.measures.settings import FidelitySettings
from trainables.protocol import Protocol


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / ".preflight"
    folder.mkdir()
    (folder / "driver").write_text(folder.name)
    return folder


def task_for(folder, cache_dir, **changes):
    task = {"folder": str(folder), "cache_dir": str(cache_dir), "protocols": [], "servers": [], "outside": None}
    task["methods"] = ["discriminator_only"]
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
    settings = FidelitySettings(num_samples=10, extractor_sha256="0" * 64)
    protocol = Protocol(dataset="digits", measures=(settings,)).model_dump_json()
    failure = probe("n1", task_for(folder, tmp_path / "elsewhere", protocols=[protocol]))
    assert failure.startswith("cannot open what was prepared in")
    assert "digits" in failure


def test_a_node_without_the_package_of_the_method(folder, cache_dir):
    failure = probe("n1", task_for(folder, cache_dir, methods=["gan", "no_such_package:Method"]))
    assert failure.startswith("cannot load method 'no_such_package:Method' (")
    assert "No module named 'no_such_package'" in failure


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder with a module that defines a measure, which is nowhere else."""
    monkeypatch.setattr("sys.path", [*sys.path])
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "brought_along.py").write_text(
        "from trainables.measures.base import Measure, MeasureSettings\n"
        "class Settings(MeasureSettings):\n"
        "    measure: str = 'brought_along:Brought'\n"
        "    def metrics(self, dataset): return {}\n"
        "class Brought(Measure):\n"
        "    Settings = Settings\n"
        "    def __init__(self, settings, dataset, cache_dir, device): pass\n"
        "    def __call__(self, subject): raise NotImplementedError\n"
    )
    yield folder
    sys.modules.pop("brought_along", None)


def test_modules_from_outside_are_found_when_the_protocol_is_opened(folder, cache_dir, outside):
    protocol = json.dumps({"dataset": "digits", "measures": [{"measure": "brought_along:Brought"}]})
    task = task_for(folder, cache_dir, protocols=[protocol])
    assert "brought_along" in probe("n1", task)
    assert probe("n1", task | {"outside": (str(outside), sources_digest([outside]))}) is None


def test_a_node_with_another_file_from_outside(folder, cache_dir, outside):
    told = (str(outside), sources_digest([outside]))
    (outside / "brought_along.py").write_text("# changed\n")
    failure = probe("n1", task_for(folder, cache_dir, outside=told))
    assert failure.startswith(f"has other files in {outside} than the driver: ")


def test_a_line_for_each_node_and_the_first_failure_as_a_sentence():
    one, two, three = (Node(name, f"10.0.0.{n}", 4, 1) for n, name in enumerate("abc", start=1))
    checks = [NodeCheck(one, None), NodeCheck(two, "is full: empty it."), NodeCheck(three, "is off: switch it on.")]
    assert lines(checks, Resources(cpus=1, gpus=0.5)) == [
        "node 10.0.0.1 (4 CPUs, 1 GPUs): in order, fits 2 trials",
        "node 10.0.0.2 (4 CPUs, 1 GPUs): is full: empty it.",
        "node 10.0.0.3 (4 CPUs, 1 GPUs): is off: switch it on.",
    ]
    require_all(checks[:1])
    with pytest.raises(InputError, match=r"^node 10\.0\.0\.2 is full: empty it\. \(1 more of 3 nodes fail: --check"):
        require_all(checks)


def test_servers_are_named_without_credentials():
    assert servers(
        {
            "--tracking-uri": "https://user:secret@tracking.example/path",
            "--optuna-storage": "postgresql+psycopg2://user:secret@db.example/optuna",
        }
    ) == [("--tracking-uri", "tracking.example", 443), ("--optuna-storage", "db.example", 5432)]


def test_files_are_no_servers(tmp_path):
    files = {"--tracking-uri": f"sqlite:///{tmp_path}/mlflow.db", "--optuna-storage": None}
    assert servers(files) == []
