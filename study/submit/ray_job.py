"""A study as a job of a Ray cluster that is there already, by the Jobs API of its dashboard."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shlex
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.config import StudyConfig
from study.submit.backend import JOB_STOP_SECONDS, Action, Backend, ClusterOptions, Submission
from trainables.errors import InputError

if TYPE_CHECKING:
    from ray.dashboard.modules.job.pydantic_models import JobDetails
    from ray.job_submission import JobSubmissionClient

CONNECT_SECONDS = 10
POLL_SECONDS = 1


class RayJob(Backend):
    """Submits by HTTP. The jobs of study NAME are NAME-1, NAME-2 and so on: Ray takes each id once."""

    options = frozenset({"working_dir", "no_wait"})

    def render(self, submission: Submission) -> str:
        """The job as JSON."""
        return json.dumps(_job(submission), indent=2) + "\n"

    def submit(self, submission: Submission) -> int:
        """Submit the job and follow it to its end; returns the exit status of the study."""
        job, name = _job(submission), submission.name
        with _session(submission.config) as client:
            earlier = _attempts(client, name)
            if earlier and not earlier[max(earlier)].status.is_terminal():
                raise InputError(
                    f"study {name!r} is being run by job {name}-{max(earlier)}: "
                    "follow it with --action follow, or stop it with --action stop."
                )
            job_id = f"{name}-{max(earlier, default=0) + 1}"
            client.submit_job(submission_id=job_id, **job)
            print(f"study {name} is job {job_id}")
            if submission.options.no_wait:
                _print_commands(submission.config, name)
                return 0
            return _follow(client, job_id, submission.config, name)

    def manage(self, action: Action, study: StudyConfig, options: ClusterOptions) -> int:
        """Show, follow or stop the newest job of a study."""
        if study.name is None:
            raise InputError(f"--action {action}: name the study with --name.")
        with _session(study) as client:
            attempts = _attempts(client, study.name)
            if not attempts:
                raise InputError(f"{study.address} has no job of study {study.name!r}: check --name and --address.")
            job, job_id = attempts[max(attempts)], f"{study.name}-{max(attempts)}"
            if action == "follow":
                return _follow(client, job_id, study, study.name)
            if action == "stop" and client.stop_job(job_id):
                job = _ended(client, job_id)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime((job.end_time or job.start_time or 0) / 1000))
        print(f"study {study.name}: job {job_id} is {job.status} since {since}")
        return 0


def _job(submission: Submission) -> dict[str, Any]:
    """What Ray is asked to run. Whoever sees the dashboard sees it, so it holds no password."""
    command = ["python", "-m", "study.launch", *submission.launch_arguments("auto")]
    runtime_env: dict[str, Any] = {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(JOB_STOP_SECONDS)}}
    if submission.options.working_dir is not None:
        runtime_env["working_dir"] = str(_checkout(submission.options.working_dir))
    return {"entrypoint": shlex.join(command), "runtime_env": runtime_env, "metadata": {"study": submission.name}}


def _checkout(folder: Path) -> Path:
    if not (folder / "study" / "launch.py").is_file():
        raise InputError(f"--working-dir {folder} has no study/launch.py: name a checkout of this project.")
    return folder.resolve()


@contextmanager
def _session(study: StudyConfig) -> Iterator[JobSubmissionClient]:
    """A client of the cluster; what the cluster refuses is raised as `InputError`."""
    address = study.address
    if address is None or not re.match(r"https?://[^/]", address):
        raise InputError("name the cluster's dashboard with --address, as in http://127.0.0.1:8265.")
    _check_guarded(address)
    for variable in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(variable, None)  # Ray would take them for the address that was asked for
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield JobSubmissionClient(address)
    except InputError:
        raise
    except AuthenticationError as error:
        raise InputError(
            f"the Ray cluster at {address} refuses the token of this machine, if it has one: "
            "set RAY_AUTH_TOKEN_PATH to a file with the cluster's."
        ) from error
    except Exception as error:
        raise InputError(f"the Ray cluster at {address} refuses: {_first_line(error)}") from error


def _check_guarded(address: str) -> None:
    """Raise `InputError` unless the dashboard answers, and asks for a token."""
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/api/version", timeout=CONNECT_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return
        raise InputError(f"{address} is not the dashboard of a Ray cluster: check --address.") from error
    except (HTTPException, ValueError) as error:
        raise InputError(f"{address} is not the dashboard of a Ray cluster: check --address.") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"nothing answers at {address} ({reason}): check --address.") from error
    raise InputError(
        f"whoever reaches {address} can run code there: start the cluster with RAY_AUTH_MODE=token "
        '(docs/cluster.md, "Ray jobs").'
    )


def _attempts(client: JobSubmissionClient, name: str) -> dict[int, JobDetails]:
    """The jobs of a study, by the number that its name is followed by."""
    found = ((re.fullmatch(rf"{re.escape(name)}-(\d+)", job.submission_id or ""), job) for job in client.list_jobs())
    return {int(match[1]): job for match, job in found if match}


def _follow(client: JobSubmissionClient, job_id: str, study: StudyConfig, name: str) -> int:
    """Print the job's log until it ends; returns the exit status of the study. Ctrl-C leaves the job alone."""
    try:
        asyncio.run(_print_log(client, job_id))
        job = _ended(client, job_id)
    except KeyboardInterrupt:
        print(f"\njob {job_id} goes on.")
        _print_commands(study, name)
        return 128 + signal.SIGINT
    except Exception as error:
        print(f"error: {study.address} no longer answers ({_first_line(error)}): the job may go on.", file=sys.stderr)
        _print_commands(study, name)
        return 1
    if job.status == "SUCCEEDED":
        return 0
    if job.status == "STOPPED":
        print(f"job {job_id} was stopped: submit the study again to go on.")
        return 128 + signal.SIGTERM
    code = job.driver_exit_code
    if code is None:  # the study was not even started, or was lost with its node
        print(f"error: job {job_id} failed: {(job.message or 'Ray does not say why').strip()}", file=sys.stderr)
        return 1
    return code if code >= 0 else 128 - code


async def _print_log(client: JobSubmissionClient, job_id: str) -> None:
    async for lines in client.tail_job_logs(job_id):
        print(lines, end="", flush=True)


def _ended(client: JobSubmissionClient, job_id: str) -> JobDetails:
    """The job, once it has ended."""
    while not (job := client.get_job_info(job_id)).status.is_terminal():
        time.sleep(POLL_SECONDS)
    return job


def _print_commands(study: StudyConfig, name: str) -> None:
    command = ["python", "-m", "study.submit", "--backend", "ray-job", "--address", str(study.address), "--name", name]
    print("Look at it, follow it, stop it with:")
    for action in ("status", "follow", "stop"):
        print(f"  {shlex.join([*command, '--action', action])}")


def _first_line(error: Exception) -> str:
    from study.sentences import first_line  # imported late: MLflow takes seconds

    return first_line(error)
