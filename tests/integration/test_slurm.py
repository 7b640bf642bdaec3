"""Studies as jobs of a real Slurm: over two nodes, requeued, stopped before their time is over."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trainables.data.cache import prepare

sys.path.insert(0, str(Path(__file__).parent))
from slurm_cluster import SlurmCluster, why_not
from soak import Outcome, check_complete, command_line

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(why_not() is not None, reason=f"Slurm: {why_not()}"),
]

STUDY = ("--space", "gradnorm", "--scale", "smoke", "--nodes", "2", "--cpus-per-node", "1")
STEPS = [2, 4]
ENDS = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
JOB_SECONDS = 300


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out puts")  # a path that has to be quoted
    prepare("digits", folder / "cache")
    return folder


class Job:
    """A study that was submitted, and its job."""

    def __init__(self, slurm: SlurmCluster, storage: Path, name: str, *options: str) -> None:
        self.slurm, self.storage, self.name = slurm, storage, name
        self.submitted = submit(slurm, storage, "--name", name, *options)
        assert self.submitted.returncode == 0, self.submitted.stderr
        self.id = re.match(r"job (\d+): ", self.submitted.stdout)[1]

    def file(self, ending: str) -> Path:
        return self.storage / f"slurm/{self.name}-{self.id}{ending}"

    def log(self) -> str:
        files = [self.file(".log"), self.file("-ray.log")]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + JOB_SECONDS
        while True:
            has_ended = self.state() in ENDS
            if condition():
                return
            assert not has_ended, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.2)

    def wait(self) -> str:
        """Its state at the end."""
        self.wait_until(lambda: self.state() in ENDS)
        return self.state()

    def state(self) -> str:
        return self.slurm.state(self.id)

    def nodes_training(self) -> set[str]:
        """The nodes on which trials are being trained."""
        found = set()
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and b"Trainable.train" in command_line(int(process.name)):
                environment = dict(
                    entry.partition("=")[::2] for entry in (process / "environ").read_text().split("\0") if entry
                )
                if environment.get("SLURM_JOB_ID") == self.id and environment["RAY_AUTH_TOKEN_PATH"] == str(
                    self.file(".token")
                ):
                    found.add(environment["SLURMD_NODENAME"])
        return found

    def wait_until_both_nodes_have_trained(self) -> None:
        seen: set[str] = set()
        self.wait_until(lambda: seen.update(self.nodes_training()) or seen == {"n1", "n2"})

    def finished_trials(self) -> list[int]:
        """The trials that its drivers saw Ray finish."""
        return [int(number) for number in re.findall(r"\] trial +(\d+)  (?!failed)", self.log())]


def submit(slurm: SlurmCluster, storage: Path, *options: str) -> subprocess.CompletedProcess:
    command = (sys.executable, "-m", "study.submit", "--backend", "slurm", "--storage-dir", str(storage))
    return slurm.run(*command, *options)


def test_a_study_over_two_nodes_goes_on_by_itself_when_it_is_requeued_and_before_its_time_is_over(slurm, storage):
    job = Job(slurm, storage, "requeued", *STUDY, "--trials", "8")
    job.wait_until_both_nodes_have_trained()
    token = job.file(".token")
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    first_token = token.read_text()
    assert len(first_token) == 64

    assert slurm.run("scontrol", "requeue", job.id).returncode == 0
    job.wait_until(lambda: slurm.restarts(job.id) == 1 and token.exists() and token.read_text() != first_token)
    job.wait_until_both_nodes_have_trained()

    assert slurm.run("scancel", "--batch", "--signal=USR1", job.id).returncode == 0  # as Slurm does before the limit
    job.wait_until(lambda: slurm.restarts(job.id) == 2)
    assert "Stopped by SIGUSR2" in job.log()
    assert job.wait() == "COMPLETED", job.log()
    assert (slurm.restarts(job.id), slurm.exit_status(job.id)) == (2, 0)

    check_complete(Outcome.of(storage, "requeued"), 8, STEPS)
    assert sorted(job.finished_trials()) == list(range(8))
    assert not token.exists()
    assert not list(Path("/tmp").glob(f"ray-{job.id}-*"))


def test_a_job_that_a_person_stops_is_not_requeued(slurm, storage):
    job = Job(slurm, storage, "stopped", *STUDY)
    job.wait_until(job.file(".token").exists)
    assert slurm.run("scancel", "--batch", "--signal=USR2", job.id).returncode == 0
    assert job.wait() == "FAILED"
    assert (slurm.restarts(job.id), slurm.exit_status(job.id)) == (0, 128 + signal.SIGUSR2)
    assert not job.file(".token").exists()


def test_a_job_ends_as_its_driver_does(slurm, storage):
    """Here with bad input, which no restart would help."""
    tracking = ("--tracking-uri", "http://127.0.0.1:1")
    job = Job(slurm, storage, "refused", "--space", "gradnorm", "--scale", "smoke", "--cpus-per-node", "1", *tracking)
    assert job.wait() == "FAILED"
    assert (slurm.restarts(job.id), slurm.exit_status(job.id)) == (0, 2)
    assert "error: the tracking server at http://127.0.0.1:1 does not answer" in job.log()


def test_without_a_token_no_ray_is_started(slurm, storage, tmp_path):
    script = tmp_path / "job.sh"
    (storage / "slurm").mkdir(parents=True, exist_ok=True)  # for the log: a dry run makes nothing
    rendered = submit(slurm, storage, *STUDY, "--name", "tokenless", "--dry-run").stdout
    script.write_text(rendered.replace("RAY_AUTH_TOKEN_PATH=$folder/", "RAY_AUTH_TOKEN_PATH=/no/such/folder/"))
    job = slurm.run("sbatch", "--parsable", str(script)).stdout.strip()
    deadline = time.monotonic() + JOB_SECONDS
    while slurm.state(job) not in ENDS:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (slurm.state(job), slurm.exit_status(job)) == ("FAILED", 1)
    assert "error: no token in /no/such/folder/" in (storage / f"slurm/tokenless-{job}.log").read_text()
    assert not (storage / f"slurm/tokenless-{job}-ray.log").exists()


def test_what_slurm_refuses_is_said_in_its_own_words_and_nothing_is_submitted(slurm, storage):
    before = slurm.run("squeue", "--noheader", "--states=all").stdout
    for option, sentence in (
        (("--partition", "nope"), "error: Slurm refused the job: invalid partition specified: nope.\n"),
        (("--gpus-per-node", "1"), "error: Slurm refused the job: Invalid generic resource (gres) specification.\n"),
    ):
        refused = submit(slurm, storage, *STUDY, *option)
        assert (refused.returncode, refused.stderr) == (2, sentence)
    assert slurm.run("squeue", "--noheader", "--states=all").stdout == before
