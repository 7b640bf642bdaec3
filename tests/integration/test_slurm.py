"""Studies as jobs of a real Slurm: over two nodes, requeued, stopped before their time is over."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from tests.systems.outcome import Outcome, check_complete
from tests.systems.slurm import Job, SlurmCluster, why_not
from tests.systems.storage import hold, of_tiny, release

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_not() is not None, reason=f"Slurm: {why_not()}"),
]

STUDY = (*of_tiny(), "--scheduler", "none", "--cpus-per-node", "1")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def storage(new_storage):
    return new_storage("out puts")  # a path that has to be quoted


def test_a_study_over_two_nodes_goes_on_by_itself_when_it_is_requeued_and_before_its_time_is_over(slurm, storage):
    hold(storage, trial=0, rounds=2)
    job = Job(slurm, storage, "requeued", *STUDY, "--nodes", "2", "--trials", "4", in_a_process=True)
    job.until_both_nodes_train()
    token = job.file(".token")
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    first_token = token.read_text()
    assert len(first_token) == 64

    # As when another job takes the nodes.
    assert slurm.run("scontrol", "requeue", job.id).returncode == 0
    job.until(lambda: slurm.restarts(job.id) == 1 and token.exists() and token.read_text() != first_token)
    job.until_both_nodes_train()

    # As Slurm does before the limit.
    assert slurm.run("scancel", "--batch", "--signal=USR1", job.id).returncode == 0
    job.until(lambda: "Stopping: " in job.log())
    hold(storage, trial=2)  # else trials 0 and 1 would be waited for in vain
    job.until(lambda: slurm.restarts(job.id) == 2)
    assert "Stopped by SIGUSR2" in job.log()
    release(storage)
    assert job.wait() == "COMPLETED", job.log()
    assert (slurm.restarts(job.id), slurm.exit_status(job.id)) == (2, 0)

    check_complete(Outcome.of(storage, "requeued"), 4, [2, 4])
    assert sorted(job.finished_trials()) == list(range(4))
    assert not token.exists()
    assert not list(Path("/tmp").glob(f"ray-{job.id}-*"))


def test_a_job_that_a_person_stops_is_not_requeued(slurm, storage):
    job = Job(slurm, storage, "stopped", *STUDY, "--sbatch", "comment=night", "mem=300M", "--mail", "me@example.org")
    shown = slurm.run("scontrol", "show", "job", "--oneliner", job.id).stdout
    for said in (f"WorkDir={storage} ", "Comment=night ", "MinMemoryNode=300M ", "MailUser=me@example.org "):
        assert said in shown, shown
    job.until(job.file(".token").exists)
    assert slurm.run("scancel", "--batch", "--signal=USR2", job.id).returncode == 0
    assert job.wait() == "FAILED"
    assert (slurm.restarts(job.id), slurm.exit_status(job.id)) == (0, 128 + signal.SIGUSR2)
    assert not job.file(".token").exists()


def test_a_job_ends_as_its_driver_does(slurm, storage):
    """Here with bad input, which no restart would help."""
    tracking = ("--tracking-uri", "http://127.0.0.1:1")
    job = Job(slurm, storage, "refused", *STUDY, *tracking)
    assert job.wait() == "FAILED"
    assert (slurm.restarts(job.id), slurm.exit_status(job.id)) == (0, 2)
    assert "error: the tracking server at http://127.0.0.1:1 does not answer" in job.log()


def test_without_a_token_no_ray_is_started(slurm, storage, tmp_path):
    script = tmp_path / "job.sh"
    (storage / "slurm").mkdir(parents=True, exist_ok=True)  # for the log: a dry run makes nothing
    rendered = slurm.submit(storage, *STUDY, "--name", "tokenless", "--dry-run").stdout
    script.write_text(rendered.replace("RAY_AUTH_TOKEN_PATH=$folder/", "RAY_AUTH_TOKEN_PATH=/no/such/folder/"))
    job = slurm.run("sbatch", "--parsable", str(script)).stdout.strip()
    assert (slurm.wait(job), slurm.exit_status(job)) == ("FAILED", 1)
    assert "error: no token in /no/such/folder/" in (storage / f"slurm/tokenless-{job}.log").read_text()
    assert not (storage / f"slurm/tokenless-{job}-ray.log").exists()


def test_what_slurm_refuses_is_said_in_its_own_words_and_nothing_is_submitted(slurm, storage):
    before = slurm.run("squeue", "--noheader", "--states=all").stdout
    for option, sentence in (
        (("--partition", "nope"), "error: Slurm refused the job: invalid partition specified: nope.\n"),
        (("--gpus-per-node", "1"), "error: Slurm refused the job: Invalid generic resource (gres) specification.\n"),
    ):
        refused = slurm.submit(storage, *STUDY, *option)
        assert (refused.returncode, refused.stderr) == (2, sentence)
    assert slurm.run("squeue", "--noheader", "--states=all").stdout == before
