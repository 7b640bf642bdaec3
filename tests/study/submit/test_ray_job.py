"""Ray jobs without a cluster: what would be submitted, and what is refused. With one: tests/integration."""

from __future__ import annotations

import json
import shlex
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from study.submit.__main__ import main

STUDY = ("--backend", "ray-job", "--space", "gradnorm", "--scale", "smoke", "--storage-dir", "/storage")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def server():
    """An HTTP server that answers everyone with a status; returns its address."""
    servers = []

    def serve(status):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        started = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(started)
        threading.Thread(target=started.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{started.server_port}"

    yield serve
    for started in servers:
        started.shutdown()
        started.server_close()


def test_what_would_be_submitted(capsys):
    hostile = "folder:/a b'; $(touch /tmp/x) #"
    arguments = [*STUDY, "--name", "night", "--dataset", hostile, "--working-dir", str(ROOT)]
    assert main(["--dry-run", "--address", "http://127.0.0.1:1", *arguments]) == 0
    job = json.loads(capsys.readouterr().out)
    command = shlex.split(job["entrypoint"])
    assert command[:3] == ["python", "-m", "study.launch"]
    assert command[command.index("--dataset") + 1] == hostile
    assert command[command.index("--address") + 1] == "auto"
    assert command[command.index("--resume") + 1] == "auto"
    assert job["runtime_env"]["working_dir"] == str(ROOT)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name the cluster's dashboard with --address, as in http://127.0.0.1:8265"),
        (["--address", "auto"], "name the cluster's dashboard with --address"),
        (["--address", "http://127.0.0.1:1"], "nothing answers at http://127.0.0.1:1 ("),
        (["--address", "http://127.0.0.1:port"], "is not the dashboard of a Ray cluster"),
        (["--address", "http://127.0.0.1:1", "--working-dir", "/"], "--working-dir / has no study/launch.py"),
        (["--address", "http://127.0.0.1:1", "--nodes", "2"], "--nodes is not an option of --backend ray-job"),
        (["--address", "http://127.0.0.1:1", "--dataset", "digit"], "did you mean 'digits'?"),
        (["--action", "status"], "--action status: name the study with --name"),
        (["--action", "stop", "--name", "x"], "name the cluster's dashboard with --address"),
        (["--action", "stop", "--name", "x", "--address", "http://127.0.0.1:1"], "nothing answers at"),
    ],
)
def test_bad_input_is_one_sentence(refused, arguments, sentence):
    assert sentence in refused(*STUDY, *arguments)


def test_what_answers_is_not_ray(refused, server):
    assert "is not the dashboard of a Ray cluster" in refused(*STUDY, "--address", server(404))


def test_a_cluster_that_is_open_to_everyone_is_refused(refused, server):
    address = server(200)
    assert f"whoever reaches {address} can run code there" in refused(*STUDY, "--address", address)


def test_other_backends_have_no_actions(refused):
    said = refused("--backend", "slurm", "--action", "status", "--name", "x")
    assert "--action status is for --backend ray-job" in said
