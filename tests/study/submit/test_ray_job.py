"""Ray jobs without a cluster: what would be submitted, and what is refused. With one: tests/integration."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ray._private.runtime_env import packaging

from study.submit.__main__ import main

STUDY = ("--backend", "ray-job", "--space", "gradnorm", "--scale", "smoke", "--storage-dir", "/storage")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def server():
    """An HTTP server that answers with a status to all who do not have its token; returns its address."""
    servers = []

    def serve(status, token=None, answer=None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                knows = token is not None and self.headers["Authorization"] == f"Bearer {token}"
                self.send_response(200 if knows else status)
                self.end_headers()
                if knows:
                    self.wfile.write(json.dumps(answer).encode())

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
    assert "--action is not an option of --backend slurm, but of ray-job" in said


JOBS = [
    {"submission_id": None, "status": "RUNNING", "start_time": 1},  # a driver that was not submitted
    {"submission_id": "night-2", "status": "SUCCEEDED", "start_time": 1_000, "end_time": 90_000_000},
    {"submission_id": "night-10", "status": "RUNNING", "start_time": 95_000_000, "end_time": None},
    {"submission_id": "nights-11", "status": "FAILED", "start_time": 99_000_000},
]


def test_the_state_of_the_newest_job_is_told_without_ray_and_torch(server, tmp_path):
    """In a process of its own, which has imported nothing else."""
    (tmp_path / "token").write_text("a secret\n")
    arguments = ["--backend", "ray-job", "--action", "status", "--name", "night"]
    program = (
        "import sys\n"
        "from study.submit.__main__ import main\n"
        "status = main(sys.argv[1:])\n"
        "print(*sorted({'ray', 'torch', 'mlflow', 'optuna'} & set(sys.modules)))\n"
        "sys.exit(status)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--address", server(401, "a secret", JOBS)],
        env=os.environ | {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"), "TZ": "UTC", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "study night: job night-10 is RUNNING since 1970-01-02 02:23:20\n\n"


def test_a_study_that_was_never_submitted(refused, server, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a secret")
    address = server(401, "a secret", JOBS)
    said = refused("--backend", "ray-job", "--action", "stop", "--name", "day", "--address", address)
    assert f"{address} has no job of study 'day': check --name and --address." in said


def test_a_token_that_is_refused(refused, server, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "another")
    address = server(401, "a secret", JOBS)
    for action in ("status", "follow", "stop"):
        said = refused("--backend", "ray-job", "--action", action, "--name", "night", "--address", address)
        assert f"the Ray cluster at {address} refuses the token of this machine" in said


@pytest.mark.parametrize("environment", [{}, {"RAY_AUTH_TOKEN_PATH": "other"}, {"RAY_AUTH_TOKEN": " said "}])
def test_the_token_is_looked_for_where_ray_does(tmp_path, environment):
    """Ray's own loader, in a process of its own, because it reads the environment once."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("at home\n")
    (tmp_path / "other").write_text("elsewhere\n")
    program = (
        "from study.submit.dashboard import token\n"
        "from ray._raylet import AuthenticationTokenLoader\n"
        "theirs = AuthenticationTokenLoader.instance().get_token_for_http_header()\n"
        "print({'Bearer ' + token()} == set(theirs.values()), token())\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=kept | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)} | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {"RAY_AUTH_TOKEN_PATH": "elsewhere", "RAY_AUTH_TOKEN": "said"}
    assert ended.stdout == f"True {expected[next(iter(environment))] if environment else 'at home'}\n"


def job_of(capsys, *arguments):
    assert main(["--dry-run", "--address", "http://127.0.0.1:1", *STUDY, *map(str, arguments)]) == 0
    job = json.loads(capsys.readouterr().out)
    command = shlex.split(job["entrypoint"])
    return job["runtime_env"], command[command.index("--space") + 1]


def test_the_file_of_a_space_is_uploaded_and_nothing_else(capsys, space_file, tmp_path):
    environment, space = job_of(capsys, "--space", f"{space_file}:Mine")
    assert space == "mine.py:Mine"  # the job starts in the folder that is uploaded
    package = tmp_path / "uploaded.zip"
    packaging.create_package(
        environment["working_dir"], package, include_gitignore=True, excludes=environment["excludes"]
    )
    assert zipfile.ZipFile(package).namelist() == ["mine.py"]


def test_the_file_of_a_space_in_a_checkout_that_is_uploaded(capsys, refused, space_file, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "launch.py").touch()
    environment, space = job_of(capsys, "--space", f"{space_file}:Mine", "--working-dir", tmp_path)
    assert (environment["working_dir"], space) == (str(tmp_path), "spaces/mine.py:Mine")
    said = refused(*STUDY, "--dry-run", "--space", f"{space_file}:Mine", "--working-dir", ROOT)
    assert f"{space_file} is not in --working-dir {ROOT}: put it there" in said


def test_a_proxy_that_refuses_is_not_taken_for_ray(refused, server, monkeypatch):
    proxy = server(403)
    monkeypatch.setattr("urllib.request._opener", None)  # it has read the environment
    monkeypatch.setenv("http_proxy", proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    said = refused("--backend", "ray-job", "--action", "status", "--name", "s", "--address", "http://127.0.0.1:9")
    assert f"the proxy {proxy} refuses the way to http://127.0.0.1:9: add its host to" in said
