"""Studies as jobs of a real Ray cluster on loopback, through the command line."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import pytest

from tests.systems.outcome import Outcome, check_complete
from tests.systems.ray_cluster import RayCluster, Submit
from tests.systems.storage import TINY, hold, of_tiny, release
from tests.systems.submit import submit as submit_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
OPTIONS = ("--max-concurrent", "1", "--scheduler", "none")
STUDY = (*of_tiny(), *OPTIONS)
UPLOADED = "this is the uploaded checkout"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = RayCluster(tmp_path_factory.mktemp("ray"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def submit(cluster, tmp_path):
    """Starts a submit; its output goes to a file."""
    number = iter(range(100))

    def start(*arguments, to=cluster, **environment):
        submitted = Submit(to, tmp_path / f"submit-{next(number)}.log", *arguments, **environment)
        submitted.start()
        return submitted

    return start


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project that can be told from the installed one, with the file of the space in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in ("study", "search_spaces", "trainables"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TINY, folder)
    (folder / ".git").mkdir()  # it is left out, and Ray would say so
    with (folder / "study" / "plan.py").open("a") as file:
        file.write(f'\nprint("{UPLOADED}")\n')
    return folder


def test_a_job_that_is_stopped_in_the_middle_and_submitted_again_ends_complete(submit, storage):
    study = (*STUDY, "--trials", "4", "--name", "stopped", "--storage-dir", storage)
    hold(storage, trial=2)
    first = submit(*study)
    first.until_shown("[  2/4]")

    stop = submit("--action", "stop", "--name", "stopped")
    first.until_shown("Stopping: ")
    hold(storage, trial=3)  # else trial 2 would be waited for in vain
    assert stop.wait() == 0, stop.screen()
    assert "job stopped-1 is STOPPED since" in stop.screen()
    assert first.wait() == 128 + signal.SIGTERM
    assert "Stopped by SIGTERM" in first.screen()  # the study itself says so: it was not killed
    assert Outcome.of(storage, "stopped").status() == "KILLED"

    again = submit(*study)
    again.until_shown("/4] trial")
    again.process.send_signal(signal.SIGINT)
    assert again.wait() == 128 + signal.SIGINT
    assert "job stopped-2 goes on" in again.screen()
    assert "Traceback" not in again.screen()
    command = re.search(r"python -m study.submit (.* --action follow)", again.screen())[1].split()

    second, status = submit(*study), submit("--action", "status", "--name", "stopped")
    assert second.wait() == 2
    assert "study 'stopped' is being run by job stopped-2: " in second.screen()
    assert status.wait() == 0
    assert "study stopped: job stopped-2 is RUNNING since" in status.screen()

    follow = submit(*command)
    release(storage)
    assert follow.wait() == 0, follow.screen()
    assert "[  4/4]" in follow.screen()
    check_complete(Outcome.of(storage, "stopped"), 4, [2, 4])


def test_the_exit_status_is_the_studys(submit, storage):
    tracking = ("--tracking-uri", "http://127.0.0.1:1")
    job = submit(*STUDY, *tracking, "--name", "refused", "--storage-dir", storage)
    assert job.wait() == 2
    assert "error: the tracking server at http://127.0.0.1:1 does not answer" in job.screen()


def test_a_study_whose_cluster_is_lost_goes_on_in_another_one(cluster, submit, storage, checkout, tmp_path):
    """As KubeRay does it: a new cluster, and the same command. There the checkout that is uploaded runs."""
    space = of_tiny(file=checkout / TINY.name)
    study = (*space, *OPTIONS, "--trials", "4", "--name", "lost", "--storage-dir", storage)
    hold(storage, trial=2)
    first = RayCluster(tmp_path)
    try:
        first.start()
        lost = submit(*study, to=first)
        lost.until_shown("[  2/4]")
        first.kill_all()
        assert lost.wait() == 1
    finally:
        first.stop()
    assert re.search(r"error: http\S+ no longer answers \(.*\): the job may go on", lost.screen())
    assert "Traceback" not in lost.screen()
    release(storage)

    cluster.until_it_answers()
    again = submit(*study, "--working-dir", checkout, "--no-wait")
    assert again.wait() == 0, again.screen()
    assert "study lost is job lost-1\n" in again.screen()  # the new cluster knows of none
    assert "WARNING" not in again.screen()
    assert UPLOADED not in again.screen()
    follow = submit("--action", "follow", "--name", "lost")
    assert follow.wait() == 0, follow.screen()
    assert UPLOADED in follow.screen()
    check_complete(Outcome.of(storage, "lost"), 4, [2, 4])


@pytest.fixture
def refusal(storage, monkeypatch):
    """What a submit says that a cluster refuses; it runs in this process."""

    def of(cluster, **environment):
        for name, value in (cluster.of_clients | environment).items():
            monkeypatch.setenv(name, value)
        done = submit_here("--backend", "ray-job", "--address", cluster.address, *STUDY, "--storage-dir", storage)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    return of


@pytest.mark.parametrize("token", [{"RAY_AUTH_TOKEN": "wrong"}, {"RAY_AUTH_TOKEN_PATH": "/no/such/file"}])
def test_a_refused_token_is_one_sentence(cluster, refusal, token):
    sentence = refusal(cluster, **token)
    assert re.fullmatch(r"error: the Ray cluster at http\S+ refuses the token of this machine.*\n", sentence)


def test_a_cluster_without_a_token_gets_no_job(refusal, tmp_path):
    cluster = RayCluster(tmp_path, mode="disabled")
    try:
        cluster.start()
        assert re.fullmatch(r"error: whoever reaches http\S+ can run code there: .*\n", refusal(cluster))
    finally:
        cluster.stop()
