"""Studies as jobs of a real Ray cluster on loopback, through the command line."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from soak import DEADLINE_SECONDS, Outcome, check_complete, descendants

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
STUDY = ("--space", "gradnorm", "--scale", "smoke", "--max-concurrent", "1")
TRIALS = 40
UPLOADED = "this is the uploaded checkout"


def free_ports(number):
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in found]


class Cluster:
    """A head with a dashboard and a token of its own; nothing of it listens beyond loopback."""

    def __init__(self, folder, mode="token"):
        self.token = folder / "token"
        self.token.touch(mode=0o600)
        self.token.write_text(secrets.token_hex(32))
        gcs, dashboard, agent, client = free_ports(4)
        self.address = f"http://127.0.0.1:{dashboard}"
        self.environment = os.environ | {
            "RAY_AUTH_MODE": mode,
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = [Path(sys.executable).parent / "ray", "start", "--head", "--block", "--node-ip-address", "127.0.0.1"]
        command += ["--port", gcs, "--dashboard-host", "127.0.0.1", "--dashboard-port", dashboard]
        command += ["--dashboard-agent-listen-port", agent, "--ray-client-server-port", client, "--num-cpus", "2"]
        self.scratch = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # pytest's folders are too long for Ray's sockets
        command += ["--temp-dir", self.scratch]
        with (folder / "ray.log").open("wb") as log:
            self.head = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self.head.poll() is None, (folder / "ray.log").read_text()
            assert time.monotonic() < deadline, (folder / "ray.log").read_text()
            time.sleep(0.2)

    def answers(self):
        try:
            urllib.request.urlopen(f"{self.address}/api/version", timeout=5).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return True

    def kill(self):
        """What a power cut does, to everything that runs in the cluster."""
        for pid in [*descendants(self.head.pid), self.head.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self):
        started = descendants(self.head.pid)
        self.head.terminate()
        self.head.wait(60)
        for pid in started:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.scratch, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("ray"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


class Submit:
    """`python -m study.submit --backend ray-job` in a process of its own; its output goes to a file."""

    def __init__(self, cluster, log, *arguments, **environment):
        self.log = log
        command = [sys.executable, "-m", "study.submit", "--backend", "ray-job", "--address", cluster.address]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                env=cluster.environment | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def screen(self):
        return self.log.read_text()

    def wait(self):
        return self.process.wait(DEADLINE_SECONDS)

    def wait_for(self, text):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.screen():
            assert self.process.poll() is None, self.screen()
            assert time.monotonic() < deadline, self.screen()
            time.sleep(0.1)


@pytest.fixture
def submit(cluster, tmp_path):
    number = iter(range(100))
    return lambda *arguments, **environment: Submit(
        cluster, tmp_path / f"submit-{next(number)}.log", *arguments, **environment
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project that can be told from the installed one."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in ("study", "search_spaces", "trainables"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".git").mkdir()  # it is left out, and Ray would say so
    with (folder / "study" / "plan.py").open("a") as file:
        file.write(f'\nprint("{UPLOADED}")\n')
    return folder


def test_a_job_that_is_stopped_in_the_middle_and_submitted_again_ends_complete(submit, storage):
    study = (*STUDY, "--trials", str(TRIALS), "--name", "stopped", "--storage-dir", str(storage))
    first = submit(*study)
    first.wait_for(f"[  2/{TRIALS}]")

    stop = submit("--action", "stop", "--name", "stopped")
    assert stop.wait() == 0
    assert "job stopped-1 is STOPPED since" in stop.screen()
    assert first.wait() == 128 + signal.SIGTERM
    assert "Stopped by SIGTERM" in first.screen()  # the study itself says so: it was not killed
    assert Outcome.of(storage, "stopped").runs["parent"][0].info.status == "KILLED"

    again = submit(*study)
    again.wait_for(f"/{TRIALS}] trial")
    again.process.send_signal(signal.SIGINT)
    assert again.wait() == 128 + signal.SIGINT
    assert "job stopped-2 goes on" in again.screen()
    assert "Traceback" not in again.screen()
    command = re.search(r"python -m study.submit (.* --action follow)", again.screen())[1].split()

    follow, second, status = submit(*command), submit(*study), submit("--action", "status", "--name", "stopped")
    assert second.wait() == 2
    assert "study 'stopped' is being run by job stopped-2: " in second.screen()
    assert status.wait() == 0
    assert "study stopped: job stopped-2 is RUNNING since" in status.screen()
    assert follow.wait() == 0, follow.screen()
    assert f"[ {TRIALS}/{TRIALS}]" in follow.screen()
    check_complete(Outcome.of(storage, "stopped"), TRIALS, [2, 4])


def test_the_exit_status_is_the_studys(submit, storage):
    job = submit(*STUDY, "--gpus-per-trial", "1", "--name", "no-gpu", "--storage-dir", str(storage))
    assert job.wait() == 2
    assert "error: a trial asks for 1 CPUs and 1 GPUs" in job.screen()


def test_a_study_whose_cluster_is_lost_goes_on_in_another_one(tmp_path_factory, tmp_path, checkout):
    """As KubeRay does it: a new cluster, and the same command. There the checkout that is uploaded runs."""
    study = (*STUDY, "--trials", "6", "--name", "lost", "--storage-dir", str(tmp_path / "outputs"))
    with ExitStack() as stack:
        first, second = (Cluster(tmp_path_factory.mktemp("ray")) for _ in range(2))
        stack.callback(second.close)
        stack.callback(first.close)
        lost = Submit(first, tmp_path / "lost.log", *study)
        lost.wait_for("[  2/6]")
        first.kill()
        assert lost.wait() == 1
        assert re.search(r"error: http\S+ no longer answers \(.*\): the job may go on", lost.screen())
        assert "Traceback" not in lost.screen()

        again = Submit(second, tmp_path / "again.log", *study, "--working-dir", str(checkout), "--no-wait")
        assert again.wait() == 0, again.screen()
        assert "study lost is job lost-1\n" in again.screen()  # the new cluster knows of none
        assert "WARNING" not in again.screen()
        assert UPLOADED not in again.screen()
        follow = Submit(second, tmp_path / "follow.log", "--action", "follow", "--name", "lost")
        assert follow.wait() == 0, follow.screen()
        assert UPLOADED in follow.screen()
    check_complete(Outcome.of(tmp_path / "outputs", "lost"), 6, [2, 4])


def test_a_refused_token_is_one_sentence(submit, storage, tmp_path):
    tokens = ({"RAY_AUTH_TOKEN": "wrong"}, {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")})
    for refused in [submit(*STUDY, "--storage-dir", str(storage), **token) for token in tokens]:
        assert refused.wait() == 2
        assert re.fullmatch(
            r"error: the Ray cluster at http\S+ refuses the token of this machine.*\n", refused.screen()
        )


def test_a_cluster_without_a_token_gets_no_job(tmp_path, storage):
    cluster = Cluster(tmp_path, mode="disabled")
    try:
        refused = Submit(cluster, tmp_path / "submit.log", *STUDY, "--storage-dir", str(storage))
        assert refused.wait() == 2
        assert re.fullmatch(r"error: whoever reaches http\S+ can run code there: .*\n", refused.screen())
    finally:
        cluster.close()
